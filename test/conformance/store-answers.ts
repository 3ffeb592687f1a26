import { beforeEach, expect, it } from 'vitest'
import { sha256 } from '../../src/runtime.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { answerRows, claim, failedOf, outcomeOf, queuedJob, record, type StoreUnderTest } from './store-fixture.ts'

/** Answers: found by the request, in their scope and tenant only. */
export function answersConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
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
}
