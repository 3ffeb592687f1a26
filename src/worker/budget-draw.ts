import { type Amount, limitsOf, minus, most, NOTHING, plus, times } from '../domain/budget.ts'
import type { Draw, GrantOwner } from '../store/role/budgets.ts'
import { type BudgetAccount, refusalText } from './budget-account.ts'
import { order } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** A draw asks for room for so many requests like the one that waits, at the least. */
const DRAW_REQUESTS = 16
/** And for what was used in a beat, so many times. */
const DRAW_BEATS = 3

const NOTHING_SET = Object.freeze({ budgetNano: null, budgetTokens: null })

/**
 * Draws room for a request of this worst case, and some more, where the budget has it. Where it has not, the account waits for what is under way;
 * and where nothing is under way anywhere that could make room, in batches neither, the job is ordered to stop. `all`: room for so much is of use
 * at once.
 */
export async function drawGrant(
  deps: WorkerDeps,
  guard: StorageGuard,
  account: BudgetAccount,
  worst: Amount,
  all: Amount = worst,
): Promise<void> {
  const { purse } = account
  const alone = purse.inFlight === 0
  const least = most(NOTHING, minus(worst, purse.free))
  // Nobody takes of it while it may be on its way back.
  const rest = alone ? most(NOTHING, purse.free) : NOTHING
  purse.giveUp(rest)
  const drawn = await guard.persist(() =>
    deps.store.budgets.draw({
      jobNo: account.run.job.jobNo,
      workerId: deps.workerId,
      specLimits: limitsOf(account.run.spec.budget, NOTHING_SET),
      least,
      wish: plus(least, most(wishOf(account, worst), minus(all, worst))),
      rest,
    }),
  )
  take(account, drawn, rest)
  if (drawn.refusedBy === null) return
  if (!alone) {
    account.waits = purse.inFlight > 0
    return
  }
  if (await retireGone(deps, guard, drawn.others)) return
  account.waits = true
  if (drawn.others.length > 0 || drawn.heldByParts) return
  order(account.run, { kind: 'own', reason: 'budget', detail: refusalText(drawn, worst) })
}

/** Puts into the purse what was drawn. Where the store knew of no grant before, what the purse held does not stand any more. */
function take(account: BudgetAccount, { isFirst, granted, refusedBy }: Draw, rest: Amount): void {
  const { purse } = account
  if (account.granted && isFirst) purse.void()
  account.granted = !isFirst || refusedBy === null
  if (refusedBy === null) purse.grant(isFirst ? granted : plus(rest, granted))
}

/** Grants are sized to what is in flight: what a few beats use, so that draws are rare, and little is out of reach of the others. */
function wishOf({ purse, usedInBeat }: BudgetAccount, worst: Amount): Amount {
  return most(times(DRAW_REQUESTS, worst), most(purse.reserved, times(DRAW_BEATS, usedInBeat)))
}

/** Ends the grants of those who are gone; whether there were any. */
async function retireGone({ store, isGone }: WorkerDeps, guard: StorageGuard, others: readonly GrantOwner[]) {
  let retired = false
  for (const { jobNo, workerId } of others) {
    if (!(await isGone(workerId))) continue
    await guard.persist(() => store.budgets.retire(jobNo, workerId))
    retired = true
  }
  return retired
}
