import { type Amount, chargeOf, most, NOTHING } from '../domain/budget.ts'
import { type BudgetAccount, isLimited, openAccount, worstOf } from './budget-account.ts'
import { type BatchRoom, createBatchRoom } from './budget-batch.ts'
import { createGrantBooks } from './budget-books.ts'
import { drawGrant } from './budget-draw.ts'
import type { Gate, Pass } from './gate.ts'
import type { GrantBooks } from './grant-books.ts'
import type { RowTask } from './held-chunk.ts'
import { type JobRun, order } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/**
 * Lets a request in when its worst case fits into what this worker has drawn of its job's budget, and draws more where that is not so. A job is
 * stopped with `budget` only when nothing that is under way anywhere could make room for its next request.
 */
export interface BudgetGate extends Gate, BatchRoom {
  readonly books: GrantBooks
  /** By job. */
  readonly accounts: ReadonlyMap<number, BudgetAccount>
  /** What was refused may be asked for again. */
  askAgain(): void
  /** Gives a part of a grant back. */
  giveBack(account: BudgetAccount, rest: Amount): Promise<void>
  /** Gives back what is left of a job's grant: nothing of it is under way here any more. */
  leave(jobNo: number): Promise<void>
}

interface BudgetPartners {
  readonly guard: StorageGuard
  /** Hears that a job may have been ordered to stop. */
  readonly onStop: () => void
  readonly onDefect: (error: unknown) => void
}

/** Creates the budget gate of one worker. */
export function createBudgetGate(deps: WorkerDeps, { guard, onStop, onDefect }: BudgetPartners): BudgetGate {
  const { budgets } = deps.store
  const accounts = new Map<number, BudgetAccount>()
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  const startDraw = (account: BudgetAccount, worst: Amount, all?: Amount) => {
    account.drawing = drawGrant(deps, guard, account, worst, all)
      .finally(() => {
        account.drawing = null
      })
      .then(() => (account.run.stop === null ? tell() : onStop()))
      .catch(onDefect)
    return account.drawing
  }
  const noPrice = (run: JobRun) => {
    const detail = 'the price of its model is not known, and its budget is in dollars'
    order(run, { kind: 'own', reason: 'error', detail })
    onStop()
  }

  return Object.freeze({
    accounts,
    books: createGrantBooks(deps, accounts, tell),
    ...createBatchRoom({ accountOf: (run) => accountOf(accounts, run), draw: startDraw, noPrice }),
    enter(task: RowTask) {
      const account = accountOf(accounts, task.held.run)
      const worst = worstOf(task)
      if (worst === null) {
        noPrice(account.run)
        return null
      }
      if (!isLimited(account)) account.purse.track(worst)
      else if (!account.purse.reserve(worst)) {
        if (account.drawing === null && !account.waits) void startDraw(account, worst)
        return null
      }
      return passOf(account, worst)
    },
    onRoom(listener: () => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    askAgain() {
      const waiting = [...accounts.values()].filter((account) => account.waits)
      for (const account of waiting) account.waits = false
      if (waiting.length > 0) tell()
    },
    async giveBack(account: BudgetAccount, rest: Amount) {
      account.purse.giveUp(rest)
      await guard.persist(() => budgets.giveBack(account.run.job.jobNo, deps.workerId, rest))
    },
    async leave(jobNo: number) {
      const account = accounts.get(jobNo)
      if (account === undefined) return
      await account.drawing
      if (account.granted) {
        const rest = most(NOTHING, account.purse.free)
        await guard.persist(() => budgets.giveBack(jobNo, deps.workerId, rest))
        await guard.persist(() => budgets.retire(jobNo, deps.workerId))
      }
      accounts.delete(jobNo)
    },
  })
}

function accountOf(accounts: Map<number, BudgetAccount>, run: JobRun): BudgetAccount {
  const known = accounts.get(run.job.jobNo)
  if (known !== undefined) {
    known.run = run
    return known
  }
  const opened = openAccount(run)
  accounts.set(run.job.jobNo, opened)
  return opened
}

function passOf(account: BudgetAccount, worst: Amount): Pass {
  const { purse, charges } = account
  return {
    leave(end) {
      if (end === 'not sent') purse.release(worst)
      else if (end === 'abandoned') purse.abandon()
      else {
        const charge = chargeOf(end)
        purse.settle(worst, charge)
        charges.set(end.intent.id, charge)
      }
      if (purse.inFlight === 0) account.waits = false
    },
  }
}
