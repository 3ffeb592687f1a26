import { beforeEach, describe, expect, it } from 'vitest'
import type { OutcomeState } from '../../src/domain/row.ts'
import { sha256 } from '../../src/runtime.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import {
  answerRows,
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

/** Outcomes: written under the fence, read in order, found again, taken back. */
export function rowsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const read = async (jobNo: number) => (await store.jobs.getByNo(jobNo))!

  describe('recording', () => {
    it('gives back what was written, to the letter', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      const odd = outcomeOf(0, {
        rowId: ' Zeile "1"\u0000\n',
        output: '{"a":"\\u0000 ü 😀"}',
        message: '',
        costNano: null,
      })
      const dead = failedOf(1, {
        latencyMs: null,
        requestHash: null,
        model: null,
        lane: null,
        fallback: true,
        attempts: 3,
      })
      await answerRows(store, held, [odd, dead])
      expect(await store.rows.get(jobNo, 0)).toStrictEqual({ ...odd, chunkNo: 0 })
      expect(await store.rows.get(jobNo, 1)).toStrictEqual({ ...dead, chunkNo: 0 })
      expect(await store.rows.get(jobNo, 2)).toBeNull()
    })

    it('drops outcomes, counters and intents of a claim that has passed, but books its paid attempts', async () => {
      const { jobNo } = await queuedJob(store, [3])
      const stale = await claim(store, jobNo, 0)
      const sent = intentOf(stale, 0)
      await record(store, stale, { intents: [sent] })
      const held = await claim(store, jobNo, 0)
      const unsent = intentOf(stale, 1)
      const late = { intents: [unsent], facts: [factOf(sent)], outcomes: [outcomeOf(0)] }
      expect(await record(store, stale, late)).toStrictEqual([stale])
      expect(await store.rows.get(jobNo, 0)).toBeNull()
      expect(await store.attempts.ofRow(jobNo, 0)).toMatchObject([{ id: sent.id, state: 'orphaned', costNano: 300 }])
      expect(await store.attempts.ofRow(jobNo, 1)).toStrictEqual([])
      expect((await store.jobs.progress(jobNo)).counters).toMatchObject({ succeeded: 0, attempts: 1, costNano: 300 })
      expect(await record(store, held, { outcomes: [outcomeOf(0)] })).toStrictEqual([])
    })

    it('judges each claim of a group by itself', async () => {
      const { jobNo } = await queuedJob(store, [1, 1])
      const stale = await claim(store, jobNo, 1)
      const [first, second] = [await claim(store, jobNo, 0), await claim(store, jobNo, 1)]
      const outcomes = [stale, first, second].map((one) => ({
        claim: one,
        outcome: outcomeOf(one.chunkNo, { message: `epoch ${one.epoch}` }),
        answerScope: null,
      }))
      const passed = await store.write((tx) => store.rows.record(tx, { intents: [], facts: [], outcomes, deltas: [] }))
      expect(passed).toStrictEqual([stale])
      expect((await store.rows.get(jobNo, 1))?.message).toBe('epoch 2')
    })

    it('never gives a row a second outcome, and keeps nothing of a group that tries', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await record(store, held, { outcomes: [outcomeOf(0)] })
      await expect(record(store, held, { outcomes: [outcomeOf(1), outcomeOf(0)] })).rejects.toThrow()
      expect(await store.rows.ended(jobNo, 0, 2)).toStrictEqual(new Set([0]))
      expect((await store.jobs.progress(jobNo)).counters.succeeded).toBe(1)
    })

    it('gives every failed and cancelled row a cause', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [failedOf(0, { cause: null }), failedOf(1, { state: 'cancelled', cause: null })])
      expect((await store.rows.list(jobNo, 0, 9)).map((row) => row.cause)).toStrictEqual(['unknown', 'cancelled'])
    })
  })

  describe('reading', () => {
    it('says which rows of a range have ended', async () => {
      const { jobNo } = await queuedJob(store, [3, 3])
      await answerRows(store, await claim(store, jobNo, 0), [outcomeOf(0), failedOf(2)])
      await answerRows(store, await claim(store, jobNo, 1), [outcomeOf(4)])
      expect(await store.rows.ended(jobNo, 0, 3)).toStrictEqual(new Set([0, 2]))
      expect(await store.rows.ended(jobNo, 3, 3)).toStrictEqual(new Set([4]))
    })

    it('lists in row order, page by page and by state', async () => {
      const states: OutcomeState[] = ['succeeded', 'failed', 'skipped', 'cancelled', 'failed', 'succeeded']
      const { jobNo } = await queuedJob(store, [6])
      const outcomes = states.map((state, n) =>
        state === 'failed' ? failedOf(n) : outcomeOf(n, { state, cause: state === 'cancelled' ? 'cancelled' : null }),
      )
      await answerRows(store, await claim(store, jobNo, 0), outcomes.toReversed())
      const indices = async (...given: Parameters<Store['rows']['list']>) =>
        (await store.rows.list(...given)).map((row) => row.rowIndex)
      expect(await indices(jobNo, 0, 4)).toStrictEqual([0, 1, 2, 3])
      expect(await indices(jobNo, 4, 4)).toStrictEqual([4, 5])
      expect(await indices(jobNo, 0, 9, ['failed'])).toStrictEqual([1, 4])
      expect(await indices(jobNo, 2, 9, ['failed', 'cancelled'])).toStrictEqual([3, 4])
      expect(await indices(jobNo, 0, 9, ['succeeded', 'skipped'])).toStrictEqual([0, 2, 5])
      expect(await indices(jobNo, 0, 9, [])).toStrictEqual([])
    })

    it('finds a row by its id, which may look like the index of another', async () => {
      const { jobNo } = await queuedJob(store, [4])
      const ids = ['3', 'T-1', '2', '03']
      await answerRows(
        store,
        await claim(store, jobNo, 0),
        ids.map((rowId, n) => outcomeOf(n, { rowId })),
      )
      const found = async (rowId: string) => (await store.rows.byId(jobNo, rowId))?.rowIndex ?? null
      expect(await Promise.all([...ids, '0', '1', '', '-1', '4', '1e0'].map(found))).toStrictEqual([
        0,
        1,
        2,
        3,
        null,
        null,
        null,
        null,
        null,
        null,
      ])
    })

    it('counts failed rows by cause, most first, with an example', async () => {
      const { jobNo } = await queuedJob(store, [5])
      await answerRows(store, await claim(store, jobNo, 0), [
        outcomeOf(0),
        failedOf(1, { cause: 'refused' }),
        failedOf(2),
        failedOf(3),
        outcomeOf(4, { state: 'cancelled', cause: 'cancelled' }),
      ])
      const causes = await store.rows.causes(jobNo)
      expect(causes.map(({ cause, rows, example }) => [cause, rows, example.rowIndex])).toStrictEqual([
        ['schema_invalid', 2, 2],
        ['refused', 1, 1],
      ])
    })

    it('finds the rows that cost most', async () => {
      const { jobNo } = await queuedJob(store, [5])
      const costs = [10, null, 40, 0, 40]
      await answerRows(
        store,
        await claim(store, jobNo, 0),
        costs.map((costNano, n) => outcomeOf(n, { costNano })),
      )
      const dearest = async (limit: number) => (await store.rows.dearest(jobNo, limit)).map((row) => row.rowIndex)
      expect(await dearest(2)).toStrictEqual([2, 4])
      expect(await dearest(9)).toStrictEqual([2, 4, 0])
    })
  })

  describe('answers', () => {
    const scope = 'spec:triage'
    const hashes = (...rows: readonly number[]) => rows.map((row) => sha256(`request ${row}`))
    const answered = async (rows: readonly number[], from = scope, more = {}) => {
      const job = await queuedJob(store, [rows.length], more)
      const outcomes = rows.map((row, n) =>
        outcomeOf(n, { requestHash: sha256(`request ${row}`), output: `{"n":${row}}` }),
      )
      await answerRows(store, await claim(store, job.jobNo, 0), outcomes, from)
      return job.jobNo
    }

    it('finds accepted answers by the request, of any job of the scope', async () => {
      await answered([1, 2])
      const later = await answered([3])
      const found = await store.answers.find(DEFAULT_TENANT, scope, [...hashes(1, 3, 4), ...hashes(1)])
      expect([...found.keys()].sort()).toStrictEqual(hashes(1, 3).sort())
      expect(found.get(hashes(1)[0]!)).toMatchObject({ output: '{"n":1}', rowIndex: 0 })
      expect(found.get(hashes(3)[0]!)?.output).toBe((await store.rows.get(later, 0))?.output)
      expect(await store.answers.find(DEFAULT_TENANT, scope, [])).toStrictEqual(new Map())
    })

    it('keeps scopes and tenants apart', async () => {
      await under().addTenant(2)
      await answered([1])
      await answered([2], scope, { tenantNo: 2 })
      expect((await store.answers.find(DEFAULT_TENANT, 'job:9', hashes(1))).size).toBe(0)
      expect((await store.answers.find(DEFAULT_TENANT, scope, hashes(1, 2))).size).toBe(1)
      expect((await store.answers.find(2, scope, hashes(1, 2))).size).toBe(1)
    })

    it('finds no failed row, and none that was written without a scope', async () => {
      const { jobNo } = await queuedJob(store, [2, 1])
      const held = await claim(store, jobNo, 0)
      await answerRows(
        store,
        held,
        [failedOf(0, { requestHash: hashes(1)[0]! }), outcomeOf(1, { requestHash: null })],
        scope,
      )
      await answerRows(store, await claim(store, jobNo, 1), [outcomeOf(2, { requestHash: hashes(2)[0]! })], null)
      expect((await store.answers.find(DEFAULT_TENANT, scope, hashes(1, 2))).size).toBe(0)
    })

    it('finds answers among thousands, old and new', async () => {
      const rows = 10_000
      const { jobNo } = await queuedJob(store, [rows])
      const held = await claim(store, jobNo, 0)
      for (let from = 0; from < rows; from += 500) {
        const outcomes = Array.from({ length: 500 }, (_, n) => outcomeOf(from + n))
        await record(store, held, { outcomes, answerScope: scope })
      }
      const asked = [0, 1, 4_095, 4_096, 4_097, 7_777, rows - 1, rows]
      const found = await store.answers.find(DEFAULT_TENANT, scope, hashes(...asked))
      expect([...found.values()].map((row) => row.rowIndex).sort((a, b) => a - b)).toStrictEqual(asked.slice(0, -1))
      await answered([7_777, 4_097])
      const again = await store.answers.find(DEFAULT_TENANT, scope, hashes(4_097, 1))
      expect([...again.values()].map((row) => row.rowIndex).sort()).toStrictEqual([1, 1])
    })

    it('finds the latest of several answers', async () => {
      await answered([1])
      const { jobNo } = await queuedJob(store, [1])
      const outcome = outcomeOf(0, { requestHash: hashes(1)[0]!, output: '{"n":"new"}' })
      await answerRows(store, await claim(store, jobNo, 0), [outcome], scope)
      const found = await store.answers.find(DEFAULT_TENANT, scope, hashes(1))
      expect(found.get(hashes(1)[0]!)?.output).toBe('{"n":"new"}')
    })
  })

  describe('reopening', () => {
    const endedJob = async () => {
      const line = { index: 5, line: 6, file: 'a.csv', message: 'bad', excerpt: 'x', chunkNo: 2 }
      const { jobNo } = await queuedJob(store, [2, 2, 2], {}, { unreadable: [line] })
      await completeChunk(store, await claim(store, jobNo, 0), [
        outcomeOf(0),
        failedOf(1, { attempts: 3, fallback: true }),
      ])
      await completeChunk(store, await claim(store, jobNo, 1), [
        failedOf(2, { cause: 'refused', rowId: 'T-2' }),
        failedOf(3, { state: 'cancelled', cause: 'cancelled' }),
      ])
      await completeChunk(store, await claim(store, jobNo, 2), [outcomeOf(4, { state: 'skipped' })])
      await store.write((tx) => store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T }))
      return jobNo
    }
    const reopen = (jobNo: number, selection: Parameters<Store['rows']['reopen']>[3]) =>
      store.write(async (tx) => {
        const reopened = await store.rows.reopen(tx, jobNo, 1, selection)
        const round = { round: 1, specHash: sha256('second spec'), selection: '{}', atMs: T }
        expect(await store.jobs.openRound(tx, jobNo, round)).toBe(true)
        return reopened
      })

    it('takes back failed and cancelled rows, never others nor unreadable lines, and lowers the totals', async () => {
      const jobNo = await endedJob()
      const before = (await read(jobNo)).counters
      expect(before).toMatchObject({ succeeded: 1, failed: 3, skipped: 1, cancelled: 1, retried: 1, fallback: 1 })
      expect(await reopen(jobNo, {})).toStrictEqual({ rows: 3, chunks: [0, 1] })
      const { job, counters, chunksDone } = await store.jobs.progress(jobNo)
      expect(job).toMatchObject({ openChunks: 2, state: 'queued', round: 1 })
      expect(chunksDone).toBe(1)
      expect(counters).toStrictEqual({ ...before, failed: 1, cancelled: 0, retried: 0, fallback: 0 })
      expect(await store.rows.ended(jobNo, 0, 6)).toStrictEqual(new Set([0, 4, 5]))
      expect(await store.chunks.get({ jobNo, chunkNo: 0 })).toMatchObject({ state: 'ready', round: 1, doneNo: null })
    })

    it.each([
      [{ causes: ['refused'] }, [2]],
      [{ causes: ['cancelled'] }, [3]],
      [{ chunkNos: [1] }, [2, 3]],
      [{ chunkNos: [0, 2] }, [1]],
      [{ rowIds: ['1', 'T-2', '3', '2'] }, [1, 2, 3]],
      [{ rowIds: ['3'], causes: ['cancelled'] }, [3]],
      [{ rowIds: ['3'], causes: ['refused'] }, []],
      [{ causes: ['input_unreadable'] }, []],
      [{ causes: [] }, []],
    ] as const)('takes back what meets all of %j', async (selection, rows) => {
      const jobNo = await endedJob()
      const reopened = await reopen(jobNo, selection)
      expect(reopened.rows).toBe(rows.length)
      const all = [0, 1, 2, 3, 4, 5].filter((row) => !(rows as readonly number[]).includes(row))
      expect(await store.rows.ended(jobNo, 0, 6)).toStrictEqual(new Set(all))
    })

    it('adds up again when the round has run', async () => {
      const jobNo = await endedJob()
      await reopen(jobNo, { chunkNos: [1] })
      const held = await claim(store, jobNo, 1)
      expect(held.epoch).toBe(2)
      const again = [2, 3].map((row) => outcomeOf(row, { round: 1, specHash: sha256('second spec') }))
      expect(await completeChunk(store, held, again)).toBe('last')
      const { counters } = await read(jobNo)
      expect(counters).toMatchObject({ succeeded: 3, failed: 2, cancelled: 0, attempts: 7, costNano: 2_100 })
      expect((await store.chunks.get({ jobNo, chunkNo: 1 }))?.doneNo).toBe(4)
      const past = await store.attempts.ofChunk({ jobNo, chunkNo: 1 }, 1)
      expect([...past.keys()].sort()).toStrictEqual([2, 3])
      expect(past.get(2)).toHaveLength(1)
      expect(await store.attempts.ofRow(jobNo, 2)).toHaveLength(2)
    })

    it('takes back rows of a chunk that is still open', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [failedOf(0)])
      await store.write((tx) => store.chunks.release(tx, held, 'ready'))
      await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'failed', atMs: T }))
      expect(await reopen(jobNo, {})).toStrictEqual({ rows: 1, chunks: [0] })
      const { job, counters } = await store.jobs.progress(jobNo)
      expect(job.openChunks).toBe(1)
      expect(counters).toMatchObject({ failed: 0, attempts: 1 })
    })
  })
}
