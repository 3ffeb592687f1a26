import { type Charge, covers, NOTHING, plus } from '../domain/budget.ts'
import type { GrantCharge } from '../store/role/budgets.ts'
import { type BudgetAccount, isLimited } from './budget-account.ts'
import type { GrantBooks } from './grant-books.ts'
import type { WorkerDeps } from './worker-deps.ts'

const NO_CHARGE: Charge = Object.freeze({ used: NOTHING, doubtful: NOTHING })
const NO_JOBS: ReadonlySet<number> = new Set()

/** The books of one worker's accounts. `tell` hears when a grant turned out not to stand: another is to be drawn. */
export function createGrantBooks(
  { store, workerId }: WorkerDeps,
  accounts: ReadonlyMap<number, BudgetAccount>,
  tell: () => void,
): GrantBooks {
  const chargeOf = (jobNo: number, attemptId: string) => accounts.get(jobNo)?.charges.get(attemptId) ?? NO_CHARGE
  return {
    async book(tx, intents, facts) {
      const charges = new Map<number, Charge>()
      const add = (jobNo: number, charge: Charge) => {
        if (!isBooked(accounts.get(jobNo), charge)) return
        const { used, doubtful } = charges.get(jobNo) ?? NO_CHARGE
        charges.set(jobNo, { used: plus(used, charge.used), doubtful: plus(doubtful, charge.doubtful) })
      }
      for (const { jobNo } of intents) add(jobNo, NO_CHARGE)
      for (const { intent } of facts) add(intent.jobNo, chargeOf(intent.jobNo, intent.id))
      if (charges.size === 0) return NO_JOBS
      const booked = [...charges].map(([jobNo, charge]): GrantCharge => ({ jobNo, ...charge }))
      return store.budgets.book(tx, workerId, booked)
    },
    booked(facts, without) {
      for (const { intent } of facts) accounts.get(intent.jobNo)?.charges.delete(intent.id)
      for (const jobNo of without) {
        const account = accounts.get(jobNo)
        if (account === undefined) continue
        account.granted = false
        account.purse.void()
      }
      if (without.size > 0) tell()
    },
  }
}

/** Also without a grant, what is doubtful must not be forgotten. */
function isBooked(account: BudgetAccount | undefined, { doubtful }: Charge): boolean {
  if (account === undefined) return false
  return account.granted || (isLimited(account) && !covers(NOTHING, doubtful))
}
