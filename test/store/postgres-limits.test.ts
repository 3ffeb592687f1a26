import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres.ts'
import type { LimitDraw } from '../../src/store/role/limits.ts'
import { migratedDatabase, noPostgres, type TestDatabase } from '../postgres/database.ts'

const MINUTE_MS = 60_000

/** What somebody drew on one limit, when it may be used, and how well we know that: all in ms. */
interface Drawn {
  readonly costMs: number
  readonly usableMs: number
  readonly blurMs: number
}

describe.skipIf(noPostgres !== null)(`limits shared on PostgreSQL (${noPostgres ?? 'is there'})`, () => {
  let database: TestDatabase
  let workers: readonly PostgresStore[]
  let accounts = 0
  beforeAll(async () => {
    database = await migratedDatabase()
    const open = () => openPostgresStore({ url: database.url, runtime: systemRuntime() })
    workers = await Promise.all([open(), open(), open(), open()])
  })
  afterAll(async () => {
    for (const worker of workers) await worker.close()
    await database.drop()
  })

  /** Draws as four workers would, each one draw after the other, all at the same time. */
  const drawAll = async (plans: readonly (readonly number[])[], creditMs: number): Promise<readonly Drawn[]> => {
    accounts += 1
    const account = `account ${accounts}`
    const each = plans.map(async (costs, n) => {
      const drawn: Drawn[] = []
      for (const costMs of costs) {
        const cost = { windowMs: MINUTE_MS, amount: 1, costUs: costMs * 1000, creditUs: creditMs * 1000 }
        const draws: readonly LimitDraw[] = [
          { kind: n % 2 === 0 ? 'requests' : 'tokens', ...cost },
          { kind: n % 2 === 0 ? 'tokens' : 'requests', ...cost },
        ]
        const before = performance.now()
        const { waitMs } = await (workers[n] as PostgresStore).limits.draw(account, draws)
        const blurMs = performance.now() - before
        drawn.push({ costMs, usableMs: before + waitMs, blurMs })
      }
      return drawn
    })
    return (await Promise.all(each)).flat()
  }

  it('never lets more be used in any time than the limit, one credit and one draw, whoever draws at the same time', async () => {
    const costs = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(costs, { minLength: 4, maxLength: 4 }),
        fc.integer({ min: 0, max: 3_000 }),
        async (plans, creditMs) => {
          const drawn = (await drawAll(plans, creditMs)).toSorted((a, b) => a.usableMs - b.usableMs)
          const blurMs = 2 * Math.max(...drawn.map((one) => one.blurMs)) + 2
          const largest = Math.max(...drawn.map(({ costMs }) => costMs))
          for (const [first, from] of drawn.entries()) {
            let used = 0
            for (const until of drawn.slice(first)) {
              used += until.costMs
              const passedMs = until.usableMs - from.usableMs
              expect(used).toBeLessThanOrEqual(passedMs + creditMs + largest + blurMs)
            }
          }
          // And nothing of the limit is lost: the last may be used when all of it has been paid for, and no later.
          const last = drawn.at(-1) as Drawn
          const begun = Math.min(...drawn.map((one) => one.usableMs))
          const total = drawn.reduce((sum, { costMs }) => sum + costMs, 0)
          expect(last.usableMs).toBeLessThanOrEqual(Math.max(begun, begun + total - creditMs) + largest + blurMs)
        },
      ),
      { numRuns: 40 },
    )
  })
})
