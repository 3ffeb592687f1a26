import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { removeEarlierExports } from '../../src/engine/earlier-exports.ts'
import { createFileDesks } from '../../src/engine/files.ts'
import { createSweep } from '../../src/engine/sweep.ts'
import { createEvents, type EventMap } from '../../src/events.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'
import { closeManifest, newJob } from '../conformance/store-fixture.ts'

const DAY_MS = 24 * 3_600_000

const events = createEvents((_name, error) => {
  throw error
})

async function world() {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-sweep-'))
  const runtime = systemRuntime()
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, version: 'test' })
  onTestFinished(async () => {
    await store.close()
    await rm(dir, { recursive: true, force: true })
  })
  return { dir, runtime, store, blob: openFileBlob({ dir: join(dir, 'blob') }) }
}

async function keysOf(blob: Blob, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of blob.list(prefix)) keys.push(key)
  return keys
}

it('throws away inputs that their jobs have read, and leaves those that they still need', async () => {
  const { runtime, store, blob } = await world()
  const files = createFileDesks({ store, blob, runtime })(DEFAULT_TENANT)
  const jobWithInput = async () => {
    const { job } = await store.jobs.create(newJob())
    const { id } = await files.add({
      id: job.id.replace('job_', 'file_'),
      purpose: 'input',
      name: 'a',
      expiresAtMs: null,
    })
    const one = async function* () {
      yield Buffer.from('id,text\n')
    }
    await files.append(id, 0, one(), { maxBytes: 100, signal: new AbortController().signal })
    return { ...job, fileId: id }
  }
  const [waits, read] = [await jobWithInput(), await jobWithInput()]
  await closeManifest(store, read.jobNo)
  const sweep = createSweep({ store, blob, runtime, events })
  await sweep()
  expect((await keysOf(blob, 'files/')).every((key) => key.includes(waits.fileId))).toBe(true)
  expect(await keysOf(blob, `files/${waits.fileId}/`)).toHaveLength(1)
  await expect(files.get(read.fileId)).rejects.toMatchObject({ code: 'file_not_found' })
  await sweep()
  expect(await keysOf(blob, 'files/')).toHaveLength(1)
})

it('tables of earlier rounds go, with what killed makers left of theirs; those of this one and of other jobs stay', async () => {
  const { dir, blob } = await world()
  const tables = [
    'a/exports/0/all-csv/x.csv',
    'a/exports/9/all-csv/x.csv',
    'a/exports/10/ok-csv/x.csv',
    'b/exports/0/all-csv/x.csv',
  ]
  for (const key of tables) await blob.put(`jobs/${key}`, Buffer.from(key))
  const killed = await blob.writer('jobs/a/exports/8/all-csv/y.csv')
  onTestFinished(() => killed.abort())
  await killed.write(Buffer.from('half a table'))
  const folder = join(dir, 'blob/jobs/a/exports')
  expect(await readdir(join(folder, '8/all-csv'))).toHaveLength(1)
  await removeEarlierExports(blob, { id: 'a', round: 10 })
  expect(await keysOf(blob, 'jobs/')).toStrictEqual([`jobs/${tables[2]}`, `jobs/${tables[3]}`])
  expect(await readdir(folder)).toStrictEqual(['10'])
  await removeEarlierExports(blob, { id: 'none', round: 3 })
})

/** So many files whose time is over, each with its bytes, from the one that ran out first. */
async function runOut({ store, blob }: Awaited<ReturnType<typeof world>>, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `file_${String(at).padStart(4, '0')}`)
  for (const [at, id] of ids.entries()) {
    const file = { id, tenantNo: DEFAULT_TENANT, purpose: 'batch', name: id, createdAtMs: 0, expiresAtMs: at } as const
    await store.files.add(file)
    await blob.put(`files/${id}/0/0`, Buffer.from('some bytes'))
  }
  return ids
}

it('a turn throws away all that is of no more use, also more than is asked for at a time', async () => {
  const there = await world()
  await runOut(there, 230)
  await createSweep({ ...there, events })()
  expect(await there.store.files.expired(there.runtime.now(), 1)).toStrictEqual([])
  expect(await keysOf(there.blob, 'files/')).toStrictEqual([])
})

it('files that cannot be removed hold up no other, are told of, and go as soon as they can', async () => {
  const there = await world()
  const ids = await runOut(there, 120)
  const broken = new Set(ids.slice(0, 8).map((id) => `files/${id}/`))
  const blob = {
    async removeAll(prefix: string) {
      if (broken.has(prefix)) throw new StorageFailure('io', 'access denied')
      await there.blob.removeAll(prefix)
    },
  }
  const told: EventMap['duty.failed'][] = []
  const off = events.on('duty.failed', (event) => void told.push(event))
  onTestFinished(off)
  const sweep = createSweep({ ...there, blob, events })
  const left = async () => (await there.store.files.expired(there.runtime.now(), 1_000)).map(({ id }) => id)
  await sweep()
  // So many in a turn: where the storage does not answer, a turn does not wait for each.
  expect(told.map(({ message }) => message)).toStrictEqual(
    ids.slice(0, 5).map((id) => `${id} could not be removed: access denied`),
  )
  await sweep()
  expect(await left()).toStrictEqual(ids.slice(0, 8))
  broken.clear()
  await sweep()
  expect(await left()).toStrictEqual([])
})

it('a turn whose time is up leaves the rest to the next', async () => {
  const there = await world()
  await runOut(there, 4)
  let nowMs = 0
  const runtime = { now: there.runtime.now, elapsed: () => (nowMs += 9_000) }
  await createSweep({ ...there, runtime, events })()
  expect(await there.store.files.expired(there.runtime.now(), 10)).toHaveLength(2)
})

it('throws away files whose time is over and answers that nobody asks for any more, and nothing else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-sweep-'))
  const system = systemRuntime()
  let nowMs = system.now()
  const runtime = { ...system, now: () => nowMs }
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, version: 'test' })
  onTestFinished(async () => {
    await store.close()
    await rm(dir, { recursive: true, force: true })
  })
  const blob = openFileBlob({ dir: join(dir, 'blob') })
  const sweep = createSweep({ store, blob, runtime, events })
  const files = createFileDesks({ store, blob, runtime })(DEFAULT_TENANT)
  const upload = async (name: string, expiresAtMs: number | null) => {
    const { id } = await files.add({ id: `file_${runtime.uuid()}`, purpose: 'batch', name, expiresAtMs })
    const one = async function* () {
      yield Buffer.from('some bytes')
    }
    await files.append(id, 0, one(), { maxBytes: 100, signal: new AbortController().signal })
    return id
  }
  const take = (key: string) =>
    store.requests.take({
      tenantNo: DEFAULT_TENANT,
      key,
      fingerprint: 'same',
      subject: 'fresh',
      nowMs,
      staleBeforeMs: nowMs - 10_000,
    })
  const [stays, goes] = [await upload('stays', null), await upload('goes', nowMs + DAY_MS)]
  await take('old')
  await store.requests.answer(DEFAULT_TENANT, 'old', { status: 201, headers: '{}', body: '{}' }, nowMs)

  nowMs += DAY_MS / 2
  await sweep()
  expect((await files.list({ limit: 10 })).map(({ id }) => id).sort()).toStrictEqual([stays, goes].sort())
  expect(await take('old')).toMatchObject({ kind: 'answered' })

  nowMs += DAY_MS
  await sweep()
  expect((await files.list({ limit: 10 })).map(({ id }) => id)).toStrictEqual([stays])
  const kept: string[] = []
  for await (const key of blob.list('files/')) kept.push(key)
  expect(kept.filter((key) => key.includes(goes))).toStrictEqual([])
  expect(kept.filter((key) => key.includes(stays))).toHaveLength(1)
  expect(await take('old')).toMatchObject({ kind: 'mine' })
})
