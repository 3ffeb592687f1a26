import { createHash } from 'node:crypto'
import type { Blob } from '../blob/blob.ts'
import type { FilePart, StoredFile } from '../domain/stored-file.ts'
import { ERRORS, SluiceError } from '../errors.ts'
import { readParts, storedFile } from '../intake/stored-file.ts'
import type { Runtime } from '../runtime.ts'
import type { Files } from '../store/role/files.ts'
import type { Expected, FileDesk, FileRange, NewFile } from './file-desk.ts'
import { folderOf, goOf, receiveFile } from './receive-file.ts'
import { createSenders } from './senders.ts'

/** Bytes of a file that a reader holds at a time, twice. */
const READ_BYTES = 256 * 1024

/** What files over the network are kept in. */
export interface FileDeps {
  readonly store: { readonly files: Files }
  readonly blob: Blob
  readonly runtime: Pick<Runtime, 'now' | 'elapsed' | 'uuid'>
}

/** The files of each tenant, as one process receives and reads them. Made once in a process: it knows who is sending what to it. */
export function createFileDesks(deps: FileDeps): (tenantNo: number) => FileDesk {
  const { store, blob, runtime } = deps
  const senders = createSenders()
  const receiving = { files: store.files, blob, runtime, senders }

  return (tenantNo) => {
    const get = async (id: string): Promise<StoredFile> => {
      const file = await store.files.get(tenantNo, id)
      if (file === null) throw new SluiceError('file_not_found', `there is no file ${id} here`)
      return file
    }
    return Object.freeze({
      async add(file: NewFile) {
        await store.files.add({ ...file, tenantNo, createdAtMs: runtime.now() })
        return get(file.id)
      },
      get,
      list: (page) => store.files.list(tenantNo, page),
      async append(id, offset, bytes, { maxBytes, signal }) {
        await get(id)
        return senders.alone(id, signal, async (alone) => {
          const file = await get(id)
          assertEndsAt(file, offset)
          await receiveFile(receiving, file, bytes, { maxBytes, signal: alone })
          return get(id)
        })
      },
      async finish(id, expected) {
        const file = await get(id)
        assertOpen(file)
        const parts = await store.files.parts(tenantNo, id)
        const hash = senders.takeHash(id, file.bytes)
        const whole = { ...file, sha256: hash?.digest('hex') ?? (await hashOf(blob, file, parts)) }
        const refusal = await refusalOf(deps, whole, parts, expected)
        const end = { bytes: whole.bytes, sha256: whole.sha256 }
        const state = refusal === null ? 'ready' : 'refused'
        const closed = await store.files.close(tenantNo, id, { ...end, state, note: refusal?.message ?? null })
        if (!closed) throw new SluiceError('file_state', `${id} changed while it was looked at`)
        if (refusal !== null) throw refusal
        return get(id)
      },
      async expireAt(id, atMs) {
        await store.files.expireAt(tenantNo, id, atMs)
        return get(id)
      },
      async refuse(id, note) {
        const { bytes } = await get(id)
        await store.files.close(tenantNo, id, { state: 'refused', bytes, sha256: '', note })
      },
      async reopen(id) {
        await get(id)
        return senders.alone(id, new AbortController().signal, async () => {
          const goes = new Set((await store.files.reopen(tenantNo, id)).map(goOf))
          // Objects of a go that another process still sends are no longer asked for by anybody.
          for (const go of goes) await blob.removeAll(`${folderOf(id)}${go}/`)
          return get(id)
        })
      },
      async *read(id: string, range?: FileRange) {
        const { bytes } = await get(id)
        const parts = await store.files.parts(tenantNo, id)
        yield* readParts(blob, parts, { from: 0, to: bytes, ...range, blockBytes: READ_BYTES })
      },
      async remove(id) {
        if ((await store.files.remove(tenantNo, id)) === null) await get(id)
        await blob.removeAll(folderOf(id))
      },
    } satisfies FileDesk)
  }
}

function assertOpen(file: StoredFile): void {
  if (file.state === 'open') return
  const how = file.state === 'ready' ? 'is whole already' : `was refused: ${file.note ?? ''}`
  throw new SluiceError('file_state', `${file.id} ${how}`, {
    hint: file.state === 'ready' ? 'Nothing is to be sent any more.' : 'Send all of it anew.',
  })
}

function assertEndsAt(file: StoredFile, offset: number): void {
  assertOpen(file)
  if (file.bytes === offset) return
  throw new SluiceError('file_state', `${file.id} has ${file.bytes} bytes, so that byte ${offset} is not the next one`)
}

async function hashOf(blob: Blob, { bytes }: StoredFile, parts: readonly FilePart[]): Promise<string> {
  const hash = createHash('sha256')
  for await (const block of readParts(blob, parts, { from: 0, to: bytes })) hash.update(block)
  return hash.digest('hex')
}

/** Why a file that is whole must not count; `null`: it may. */
async function refusalOf(
  { blob }: FileDeps,
  file: StoredFile & { readonly sha256: string },
  parts: readonly FilePart[],
  expected: Expected,
): Promise<SluiceError | null> {
  const mismatch = (what: string) => new SluiceError('file_mismatch', `${file.name}: ${what}`)
  if (new Set(parts.map(goOf)).size > 1) return mismatch('two senders sent it at once, from its beginning')
  if (expected.bytes !== null && file.bytes !== expected.bytes) {
    return mismatch(`${file.bytes} bytes came, where ${expected.bytes} were announced`)
  }
  if (expected.sha256 !== null && file.sha256 !== expected.sha256) {
    return mismatch(`its sha-256 is ${file.sha256}, where ${expected.sha256} was announced`)
  }
  try {
    await expected.check?.(storedFile(file, parts, blob))
    return null
  } catch (error) {
    if (error instanceof SluiceError && ERRORS[error.code].httpStatus < 500) return error
    throw error
  }
}
