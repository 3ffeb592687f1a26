import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import type { FileDesk } from '../../src/engine/file-desk.ts'
import { createFileDesks } from '../../src/engine/files.ts'
import { SluiceError } from '../../src/errors.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'

const runtime = systemRuntime()
const never = new AbortController().signal
const options = { maxBytes: 1e9, signal: never }
const whole = { bytes: null, sha256: null }

/** A store and a blob store, and the files as any number of processes see them. */
async function open() {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-files-'))
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, version: '0.0.0-test' })
  const blob = openFileBlob({ dir: join(dir, 'blob') })
  onTestFinished(async () => {
    await store.close()
    rmSync(dir, { recursive: true })
  })
  const process = (under: Blob = blob): FileDesk => createFileDesks({ store, blob: under, runtime })(1)
  return { store, blob, process, other: createFileDesks({ store, blob, runtime })(2) }
}

async function added(desk: FileDesk): Promise<string> {
  const { id } = await desk.add({ id: `file_${runtime.uuid()}`, purpose: 'input', name: 'a.csv', expiresAtMs: null })
  return id
}

async function* of(...blocks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const block of blocks) yield Buffer.from(block)
}

/** Sends some, and then breaks off. */
async function* broken(...blocks: readonly string[]): AsyncGenerator<Uint8Array> {
  yield* of(...blocks)
  throw new Error('the connection broke')
}

async function read(desk: FileDesk, id: string, range?: { from: number; to: number }): Promise<string> {
  const blocks: Buffer[] = []
  for await (const block of desk.read(id, range)) blocks.push(block)
  return Buffer.concat(blocks).toString()
}

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')

describe('files over the network', () => {
  it('are the same however they were cut and whatever processes received them, and any part can be read', async () => {
    const { process } = await open()
    const text = Array.from({ length: 400 }, (_, n) => `row ${n}\n`).join('')
    const place = fc.integer({ min: 0, max: text.length })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.boolean()), { maxLength: 6 }), place, place, async (cuts, a, b) => {
        let desk = process()
        const id = await added(desk)
        let from = 0
        for (const [to, isRestarted] of [...cuts.toSorted(([x], [y]) => x - y), [text.length, true] as const]) {
          const sent = desk.append(id, from, broken(text.slice(from, to)), options)
          await expect(sent).rejects.toThrow('broke')
          from = (await desk.get(id)).bytes
          expect(from).toBe(to)
          if (isRestarted) desk = process()
        }
        const file = await desk.finish(id, { bytes: text.length, sha256: sha256(text) })
        expect(file).toMatchObject({ state: 'ready', bytes: text.length, sha256: sha256(text) })
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        expect(await read(desk, id, { from: start, to: end })).toBe(text.slice(start, end))
      }),
      { numRuns: 15 },
    )
  })

  it('keep what came before a stop, and say where they end', async () => {
    const { process } = await open()
    const desk = process()
    const id = await added(desk)
    const stop = new AbortController()
    async function* waiting(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('some')
      stop.abort(new Error('the server stops'))
      await new Promise(() => undefined)
    }
    await expect(desk.append(id, 0, waiting(), { ...options, signal: stop.signal })).rejects.toThrow('stops')
    expect(await desk.get(id)).toMatchObject({ state: 'open', bytes: 4 })
    await expect(desk.append(id, 2, of('x'), options)).rejects.toMatchObject({ code: 'file_state' })
    await desk.append(id, 4, of(' more'), options)
    await desk.finish(id, whole)
    expect(await read(process(), id)).toBe('some more')
    await expect(desk.append(id, 9, of('x'), options)).rejects.toMatchObject({ code: 'file_state' })
  })

  it('are left by a sender who is overtaken while what he sent is written, and of whom nothing more comes', async () => {
    const { blob, process } = await open()
    const [writes, mayWrite] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow: Blob = {
      ...blob,
      async writer(key) {
        const writer = await blob.writer(key)
        return {
          ...writer,
          async write(bytes) {
            writes.resolve()
            await mayWrite.promise
            await writer.write(bytes)
          },
        }
      },
    }
    const desk = process(slow)
    const id = await added(desk)
    async function* hanging() {
      yield* of('old')
      await new Promise(() => undefined)
    }
    const first = expect(desk.append(id, 0, hanging(), options)).rejects.toMatchObject({ code: 'file_state' })
    await writes.promise
    const second = desk.append(id, 3, of(' and new'), options)
    mayWrite.resolve()
    await first
    expect(await second).toMatchObject({ bytes: 11 })
    expect(await read(desk, id)).toBe('old and new')
  })

  it('never count where two processes received two of them for one', async () => {
    const { process } = await open()
    const [one, two] = [process(), process()]
    const id = await added(one)
    const gate = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(16 * 1024 * 1024, 'a')
      await gate.promise
      yield Buffer.from('aaaa')
    }
    const old = one.append(id, 0, slow(), options)
    while ((await one.get(id)).bytes === 0) await new Promise(setImmediate)
    await two.reopen(id)
    await two.append(id, 0, of(Buffer.alloc(16 * 1024 * 1024, 'b')), options)
    gate.resolve()
    await old
    await expect(two.finish(id, whole)).rejects.toMatchObject({ code: 'file_mismatch' })
    expect(await two.get(id)).toMatchObject({ state: 'refused' })
    await two.reopen(id)
    await two.append(id, 0, of('good'), options)
    expect(await two.finish(id, whole)).toMatchObject({ state: 'ready', sha256: sha256('good') })
  })

  it('are refused for what their check says, but not for a failure of ours', async () => {
    const { process } = await open()
    const desk = process()
    const id = await added(desk)
    await desk.append(id, 0, of('id\n1\n'), options)
    const away = new SluiceError('storage', 'away')
    await expect(desk.finish(id, { ...whole, check: () => Promise.reject(away) })).rejects.toBe(away)
    expect(await desk.get(id)).toMatchObject({ state: 'open', bytes: 5 })
    const seen: string[] = []
    const bad = new SluiceError('input_invalid', 'no such column')
    const check: FileDesk['finish'] extends (id: string, expected: infer E) => unknown
      ? NonNullable<(E & { check?: unknown })['check']>
      : never = async (file) => {
      for await (const block of file.read(0)) seen.push(block.toString())
      seen.push(await file.hash(), file.name)
      throw bad
    }
    await expect(desk.finish(id, { ...whole, check })).rejects.toBe(bad)
    expect(seen).toStrictEqual(['id\n1\n', sha256('id\n1\n'), 'a.csv'])
    expect(await desk.get(id)).toMatchObject({ state: 'refused', note: 'no such column' })
  })

  it('keep what was durable when the disk is full, and go on when there is room', async () => {
    const { process, blob } = await open()
    let left = 1
    const full: Blob = {
      ...blob,
      async writer(key: string) {
        const writer = await blob.writer(key)
        if (left-- > 0) return writer
        return { ...writer, write: () => Promise.reject(new StorageFailure('full', 'no space')) }
      },
    }
    const desk = process(full)
    const id = await added(desk)
    await desk.append(id, 0, of('first '), options)
    await expect(desk.append(id, 6, of('second'), options)).rejects.toBeInstanceOf(StorageFailure)
    const healed = process()
    expect(await healed.get(id)).toMatchObject({ state: 'open', bytes: 6 })
    await healed.append(id, 6, of('second'), options)
    expect(await healed.finish(id, whole)).toMatchObject({ sha256: sha256('first second') })
  })

  it('are nothing to other tenants, and leave nothing when they are removed', async () => {
    const { process, other, blob } = await open()
    const desk = process()
    const id = await added(desk)
    await desk.append(id, 0, of('mine'), options)
    const none = { code: 'file_not_found' }
    await expect(other.get(id)).rejects.toMatchObject(none)
    await expect(other.append(id, 4, of('x'), options)).rejects.toMatchObject(none)
    await expect(other.finish(id, whole)).rejects.toMatchObject(none)
    await expect(other.reopen(id)).rejects.toMatchObject(none)
    await expect(other.remove(id)).rejects.toMatchObject(none)
    await expect(read(other, id)).rejects.toMatchObject(none)
    expect(await other.list({ limit: 10 })).toStrictEqual([])
    await desk.remove(id)
    await expect(desk.get(id)).rejects.toMatchObject(none)
    for await (const key of blob.list('files/')) expect(key).toBe('nothing')
  })
})
