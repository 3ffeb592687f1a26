import { expect, it } from 'vitest'
import type { Amount } from '../../src/domain/budget.ts'
import type { DrawRequest } from '../../src/store/role/budgets.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { neverOverspends } from './store-budget-model.ts'
import {
  answerRows,
  claim,
  completeChunk,
  factOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
} from './store-fixture.ts'

/** So much of both. */
const both = (n: number): Amount => ({ nano: n, tokens: n })
const NOTHING = both(0)

/** What a worker asks for that needs 100 and would like 300, of a budget of 1,000 dollars' billionths and no limit on tokens. */
function request(jobNo: number, more: Partial<DrawRequest> = {}): DrawRequest {
  return {
    jobNo,
    workerId: 'a',
    specLimits: { nano: 1_000, tokens: null },
    least: both(100),
    wish: both(300),
    rest: NOTHING,
    ...more,
  }
}

async function book(store: Store, jobNo: number, workerId: string, used: Amount, doubtful = NOTHING) {
  return await store.write((tx) => store.budgets.book(tx, workerId, [{ jobNo, used, doubtful }]))
}

/** Budgets: grants never sum up to more than there is, and what is spent, doubtful or granted is never forgotten. */
export function budgetConformance(under: () => StoreUnderTest): void {
  it('grants what is wished as long as it fits, and in shares where others draw too', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [3])
    expect(await store.budgets.draw(request(jobNo))).toMatchObject({ granted: both(300), refusedBy: null })
    // 700 are left, and there are two of them now.
    const second = await store.budgets.draw(request(jobNo, { workerId: 'b', wish: both(5_000) }))
    expect(second.granted).toEqual({ nano: 350, tokens: 5_000 })
    const third = await store.budgets.draw(request(jobNo, { least: both(350), wish: both(400) }))
    expect(third.granted).toEqual({ nano: 350, tokens: 400 })
    const refused = await store.budgets.draw(request(jobNo, { workerId: 'c', least: both(1), wish: both(1) }))
    expect(refused).toMatchObject({ granted: NOTHING, refusedBy: 'usd', limits: { nano: 1_000, tokens: null } })
    expect(refused.others.map((other) => other.workerId).sort()).toEqual(['a', 'b'])
    expect((await store.budgets.outlook(jobNo)).reserved.nano).toBe(1_000)
  })

  it('counts what the ledger holds, open chunks and done ones alike', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [1, 2])
    await completeChunk(store, await claim(store, jobNo, 0), [outcomeOf(0)])
    const held = await claim(store, jobNo, 1)
    await answerRows(store, held, [outcomeOf(1)])
    const drawn = await store.budgets.draw(request(jobNo, { least: both(401), wish: both(401) }))
    expect(drawn).toMatchObject({ refusedBy: 'usd', spent: { nano: 600, tokens: 88 }, others: [] })
    expect((await store.budgets.draw(request(jobNo, { least: both(400), wish: both(900) }))).granted.nano).toBe(400)
  })

  it('goes by what was set since, for dollars and for tokens', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [1])
    await store.jobs.set(jobNo, { budgetNano: 5_000, budgetTokens: 90 }, 1)
    expect((await store.jobs.controls([jobNo]))[0]).toMatchObject({
      settings: { budgetNano: 5_000, budgetTokens: 90, concurrency: null },
      caps: { dayNano: null, monthNano: null, weight: 1 },
    })
    expect((await store.budgets.draw(request(jobNo))).refusedBy).toBe('tokens')
    await store.jobs.set(jobNo, { budgetTokens: 100 }, 2)
    const drawn = await store.budgets.draw(request(jobNo, { wish: both(2_000) }))
    expect(drawn).toMatchObject({ granted: { nano: 2_000, tokens: 100 }, limits: { nano: 5_000, tokens: 100 } })
    const events = await store.events.list(jobNo, 0, 10)
    expect(events.filter((event) => event.type === 'job.settings')).toHaveLength(2)
  })

  it('takes what is booked out of the grant, and says where there is none', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [1])
    expect(await book(store, jobNo, 'a', both(10))).toEqual(new Set([jobNo]))
    await store.budgets.draw(request(jobNo))
    expect(await book(store, jobNo, 'a', both(60))).toEqual(new Set())
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ reserved: both(240), doubtful: NOTHING })
    await store.budgets.giveBack(jobNo, 'a', both(200))
    expect((await store.budgets.outlook(jobNo)).reserved).toEqual(both(40))
    // Whoever is refused gives its rest back in the same step.
    await store.budgets.draw(request(jobNo, { least: both(2_000), wish: both(2_000), rest: both(40) }))
    expect((await store.budgets.outlook(jobNo)).reserved).toEqual(NOTHING)
  })

  it('keeps what is doubtful, also when its worker is gone', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [1])
    await store.budgets.draw(request(jobNo))
    await book(store, jobNo, 'a', both(20), both(80))
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ reserved: both(200), doubtful: both(80) })
    await store.budgets.retire(jobNo, 'a')
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ reserved: NOTHING, doubtful: both(80) })
    expect((await store.budgets.draw(request(jobNo, { least: both(921), wish: both(921) }))).refusedBy).toBe('usd')
    expect((await store.budgets.draw(request(jobNo, { least: both(920), wish: both(920) }))).refusedBy).toBeNull()
    await book(store, jobNo, 'a', both(0), both(5))
    await store.write((tx) => store.budgets.clear(tx, jobNo))
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ reserved: NOTHING, doubtful: both(85) })
  })

  it('books what a dead worker left open as lost before its grant goes, once', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [2, 2])
    const dead = await claim(store, jobNo, 0, 'a')
    const alive = await claim(store, jobNo, 1, 'b')
    await store.budgets.draw(request(jobNo, { specLimits: { nano: 5_000, tokens: null }, wish: both(2_000) }))
    const [open] = [intentOf(dead, 0)]
    await record(store, dead, { intents: [open] })
    await record(store, alive, { intents: [intentOf(alive, 2)] })
    await store.budgets.retire(jobNo, 'a')
    await store.budgets.retire(jobNo, 'a')
    const outlook = await store.budgets.outlook(jobNo)
    expect(outlook).toMatchObject({ spent: { nano: 1_000, tokens: 110 }, reserved: NOTHING })
    // It was not dead after all: the real figures take the place of the worst case.
    await record(store, dead, { facts: [factOf(open)] })
    expect((await store.budgets.outlook(jobNo)).spent.nano).toBe(300)
  })

  it('holds a tenant to what its day may cost, over all of its jobs', async () => {
    const { store } = under()
    const [one, two] = [await queuedJob(store, [1]), await queuedJob(store, [1])]
    await store.budgets.setDay(DEFAULT_TENANT, 500)
    const free = { nano: null, tokens: null }
    expect((await store.jobs.controls([one.jobNo]))[0]?.caps.dayNano).toBe(500)
    expect((await store.budgets.draw(request(one.jobNo, { specLimits: free }))).granted.nano).toBe(300)
    const less = await store.budgets.draw(request(two.jobNo, { specLimits: free }))
    expect(less).toMatchObject({ granted: { nano: 200 }, dayNano: 500 })
    const refused = await store.budgets.draw(request(two.jobNo, { specLimits: free }))
    expect(refused).toMatchObject({ refusedBy: 'day', others: [{ jobNo: one.jobNo, workerId: 'a' }] })
    await store.budgets.giveBack(one.jobNo, 'a', both(150))
    expect((await store.budgets.draw(request(two.jobNo, { specLimits: free }))).granted.nano).toBe(150)
    await store.budgets.setDay(DEFAULT_TENANT, null)
    expect((await store.budgets.draw(request(two.jobNo, { specLimits: free }))).refusedBy).toBeNull()
  })

  it('holds a tenant to what its month may cost, also where its day has no limit', async () => {
    const { store } = under()
    const [one, two] = [await queuedJob(store, [1]), await queuedJob(store, [1])]
    await store.tenants.set(DEFAULT_TENANT, { dayNano: 350, monthNano: 500 })
    const free = { specLimits: { nano: null, tokens: null } }
    expect((await store.budgets.draw(request(one.jobNo, free))).granted.nano).toBe(300)
    expect((await store.budgets.draw(request(two.jobNo, free))).refusedBy).toBe('day')
    await store.tenants.set(DEFAULT_TENANT, { dayNano: null })
    const less = await store.budgets.draw(request(two.jobNo, free))
    expect(less).toMatchObject({ granted: { nano: 200 }, dayNano: null, monthNano: 500 })
    const refused = await store.budgets.draw(request(two.jobNo, free))
    expect(refused).toMatchObject({ refusedBy: 'month', others: [{ jobNo: one.jobNo, workerId: 'a' }] })
    await store.budgets.giveBack(one.jobNo, 'a', both(150))
    expect((await store.budgets.draw(request(two.jobNo, free))).granted.nano).toBe(150)
    await store.tenants.set(DEFAULT_TENANT, { monthNano: 700 })
    expect((await store.budgets.draw(request(two.jobNo, free))).granted.nano).toBe(200)
  })

  it('shows how much rows vary, and for what a job was stopped until its budget changes', async () => {
    const { store } = under()
    const { jobNo } = await queuedJob(store, [2, 2])
    const held = await claim(store, jobNo, 0)
    await answerRows(store, held, [outcomeOf(0, { costNano: 100 }), outcomeOf(1, { costNano: 300, inputTokens: 60 })])
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      rowsTotal: 4,
      rowsEnded: 2,
      variance: { nano: 10_000, tokens: 100 },
      stoppedAt: null,
    })
    await store.budgets.noteStop(jobNo, { nano: 77, tokens: 8 })
    expect((await store.budgets.outlook(jobNo)).stoppedAt).toEqual({ nano: 77, tokens: 8 })
    await store.jobs.set(jobNo, { concurrency: 3 }, 1)
    expect((await store.budgets.outlook(jobNo)).stoppedAt).not.toBeNull()
    await store.jobs.set(jobNo, { budgetNano: 3 }, 1)
    expect((await store.budgets.outlook(jobNo)).stoppedAt).toBeNull()
  })

  it('is never passed by what the provider bills, whatever is drawn, sent, booked, lost, taken for dead or found alive again', async () => {
    await neverOverspends(under().store)
  }, 60_000)
}
