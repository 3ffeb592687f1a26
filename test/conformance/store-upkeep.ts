import { beforeEach, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import {
  claim,
  completeChunk,
  factOf,
  failedOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

const DAY_MS = 86_400_000
const SCOPE = 'spec:triage'

/** Clean-up: what is old goes, and nothing that somebody may still need. */
export function upkeepConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })

  /** A job of one week, with one accepted row, one dead letter, and attempts sent in that week. */
  const jobOf = async (atMs: number, over = true) => {
    const { jobNo } = await queuedJob(store, [2], { atMs })
    const held = await claim(store, jobNo, 0)
    const rows = [outcomeOf(0, { requestHash: hashOf(jobNo) }), failedOf(1)]
    const intents = rows.map(({ rowIndex }) => intentOf(held, rowIndex, { id: idAt(atMs) }))
    await record(store, held, { intents })
    await record(store, held, { facts: intents.map((intent) => factOf(intent)), outcomes: rows, answerScope: SCOPE })
    if (!over) return jobNo
    await store.write((tx) => store.chunks.complete(tx, held, atMs))
    await store.write((tx) => store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: atMs + 1_000 }))
    return jobNo
  }
  const answers = async (...jobNos: readonly number[]) =>
    (await store.answers.find(DEFAULT_TENANT, SCOPE, jobNos.map(hashOf))).size
  const hashOf = (jobNo: number) => jobNo.toString(16).padStart(64, 'a')

  it('drops the rows and the manifest of old jobs that are over, and keeps their totals', async () => {
    await store.upkeep.prepare()
    const old = await jobOf(T)
    const young = await jobOf(T + 60 * DAY_MS)
    const before = (await store.jobs.getByNo(old))!
    const dropped = await store.upkeep.dropOld({ rowsBeforeMs: T + 30 * DAY_MS, attemptsBeforeMs: null })
    expect(dropped).toStrictEqual({ jobs: [{ jobNo: old, id: before.id }], attempts: false })
    const after = (await store.jobs.getByNo(old))!
    expect(after).toStrictEqual({ ...before, droppedAtMs: expect.any(Number) })
    expect(after.counters).not.toStrictEqual(NO_COUNTS)
    expect(await store.rows.list(old, 0, 10)).toStrictEqual([])
    expect(await store.chunks.list(old, 0, 10)).toStrictEqual([])
    expect(await store.attempts.ofChunk({ jobNo: old, chunkNo: 0 }, 0)).toHaveProperty('size', 2)
    expect(await store.rows.list(young, 0, 10)).toHaveLength(2)
    expect(await answers(old, young)).toBe(1)
    const again = await store.upkeep.dropOld({ rowsBeforeMs: T + 30 * DAY_MS, attemptsBeforeMs: null })
    expect(again).toStrictEqual({ jobs: [], attempts: false })
  })

  it('keeps what is not over, however old it is', async () => {
    const open = await jobOf(T, false)
    const request = { rowsBeforeMs: T + 300 * DAY_MS, attemptsBeforeMs: T + 300 * DAY_MS }
    expect(await store.upkeep.dropOld(request)).toStrictEqual({ jobs: [], attempts: false })
    expect(await store.rows.list(open, 0, 10)).toHaveLength(2)
    expect(await store.attempts.ofChunk({ jobNo: open, chunkNo: 0 }, 0)).toHaveProperty('size', 2)
  })

  it('opens no round on a job whose rows are gone', async () => {
    const jobNo = await jobOf(T)
    await store.upkeep.dropOld({ rowsBeforeMs: T + 30 * DAY_MS, attemptsBeforeMs: null })
    const round = { round: 1, specHash: hashOf(1), selection: '{}', atMs: T }
    expect(await store.write((tx) => store.jobs.openRound(tx, jobNo, round))).toBe(false)
  })

  it('drops old parts of the ledger, and no young ones', async () => {
    const old = await jobOf(T)
    const young = await jobOf(T + 90 * DAY_MS)
    const dropped = await store.upkeep.dropOld({ rowsBeforeMs: null, attemptsBeforeMs: T + 60 * DAY_MS })
    expect(dropped).toStrictEqual({ jobs: [], attempts: true })
    expect(await store.attempts.list(old, null, 10)).toStrictEqual([])
    expect(await store.attempts.ledger(old)).toHaveProperty('attempts', 2)
    expect(await store.attempts.ledger(young)).toHaveProperty('attempts', 2)
    expect((await store.jobs.getByNo(old))?.counters.attempts).toBeGreaterThan(0)
  })

  it('makes ready what is to come, again and again, by several at once', async () => {
    const another = await under().openAnother()
    await Promise.all([store, another, store].map((one) => one.upkeep.prepare()))
    await completeChunk(store, await claim(store, (await queuedJob(store, [1])).jobNo, 0), [outcomeOf(0)])
  })
}

let ids = 0

/** A UUIDv7 of a time. */
function idAt(atMs: number): string {
  ids += 1
  const time = atMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${ids.toString(16).padStart(12, '0')}`
}
