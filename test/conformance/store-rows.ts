import { beforeEach, describe, expect, it } from 'vitest'
import type { OutcomeState } from '../../src/domain/row.ts'
import type { Store } from '../../src/store/store.ts'
import {
  answerRows,
  claim,
  factOf,
  failedOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
} from './store-fixture.ts'

/** Outcomes: written under the fence, read in order, found again, taken back. */
export function rowsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })

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
      const read = await store.rows.byId(jobNo, odd.rowId)
      // A NUL, the one character that PostgreSQL's text does not hold, may come back as U+FFFD.
      expect(read).toStrictEqual({ ...odd, rowId: expect.stringMatching(/^ Zeile "1"[\0\uFFFD]\n$/), chunkNo: 0 })
      expect(await store.rows.get(jobNo, 0)).toStrictEqual(read)
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
}
