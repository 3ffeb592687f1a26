import { covers, minus, most, NOTHING, plus, times } from '../domain/budget.ts'
import { projectionOf } from '../domain/budget-view.ts'
import { formatUsd } from '../domain/money.ts'
import { isTelling, overrun, type Projection } from '../domain/projection.ts'
import type { Outlook } from '../store/role/budgets.ts'
import { type BudgetAccount, isLimited, limitsOfRun } from './budget-account.ts'
import type { BudgetGate } from './budget-gate.ts'
import { order } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** What a worker may hold beyond its needs, in beats of what it uses: less is not worth a transaction. */
const KEPT_BEATS = 8
/** The projection is looked at again when so much of the job has ended since. */
const LOOK_SHARE = 0.02
const LOOK_ROWS = 25

interface WatchPartners {
  readonly guard: StorageGuard
  readonly budget: BudgetGate
}

/**
 * What a beat does for budgets: gives back what nothing here needs, so that no other worker waits for it; stops jobs whose projection passes their
 * budget; and lets those ask again that were refused, since others may have given back, or somebody may have raised a limit.
 */
export async function watchBudgets(deps: WorkerDeps, partners: WatchPartners): Promise<void> {
  const { budget } = partners
  for (const account of [...budget.accounts.values()]) {
    account.usedInBeat = account.purse.takeUsed()
    if (!isLimited(account) || account.run.stop !== null) continue
    await trim(account, budget)
    await checkProjection(deps, partners, account)
  }
  budget.askAgain()
}

async function trim(account: BudgetAccount, budget: BudgetGate): Promise<void> {
  const { purse, usedInBeat } = account
  if (!account.granted || account.drawing !== null) return
  const isIdle = purse.inFlight === 0 && covers(NOTHING, usedInBeat)
  const kept = isIdle ? NOTHING : times(KEPT_BEATS, plus(purse.reserved, usedInBeat))
  const rest = most(NOTHING, minus(purse.free, kept))
  if (!covers(NOTHING, rest)) await budget.giveBack(account, rest)
}

/** A job that stops when its budget is used up is not stopped before: it gets as far as it can. */
async function checkProjection({ store }: WorkerDeps, { guard }: WatchPartners, account: BudgetAccount): Promise<void> {
  const { run } = account
  const ended = run.ended.ok + run.ended.failed
  if (run.spec.budget.onExceed === 'stop' || ended < account.nextLook) return
  account.nextLook = ended + Math.max(LOOK_ROWS, Math.ceil(run.job.rowsTotal * LOOK_SHARE))
  const { jobNo } = run.job
  const outlook = await guard.persist(() => store.budgets.outlook(jobNo))
  if (!isTelling({ total: outlook.rowsTotal, ended: outlook.rowsEnded })) return
  const projection = projectionOf(outlook)
  const limits = limitsOfRun(run)
  if (projection === null) return
  const passed = overrun(projection.low, limits, outlook.stoppedAt)
  if (passed === null) return
  await guard.persist(() => store.budgets.noteStop(jobNo, projection.low))
  order(run, {
    kind: 'own',
    reason: 'budget',
    detail: projectionText(projection, outlook, passed, limits[passed] ?? 0),
  })
}

function projectionText({ low, high }: Projection, seen: Outlook, passed: 'nano' | 'tokens', limit: number): string {
  const show = (amount: number) => (passed === 'nano' ? formatUsd(amount) : `${amount} tokens`)
  const rows = `after ${seen.rowsEnded} of ${seen.rowsTotal} rows`
  return `${rows} ${show(seen.spent[passed])} are spent; projected ${show(low[passed])} to ${show(high[passed])}, over the budget of ${show(limit)}`
}
