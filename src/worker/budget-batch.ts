import { type Amount, covers, NOTHING, plus } from '../domain/budget.ts'
import { type BudgetAccount, isLimited, worstOf } from './budget-account.ts'
import type { RowTask } from './held-chunk.ts'
import { targetOf } from './intent.ts'
import type { JobRun } from './job-run.ts'

/** Room in a job's budget for requests that are packed for a batch: all of a part at once. */
export interface BatchRoom {
  /**
   * Takes room for as many of these requests of one job as there is room for, from the first; draws for that. No room for the first: `worsts` is
   * empty, and the job waits or was ordered to stop.
   */
  takeRoom(tasks: readonly RowTask[]): Promise<RoomTaken>
}

/** Room that was taken. One of the two ways out is to be called once. */
export interface RoomTaken {
  /** What each request can come to, in the order of the requests that have room. */
  readonly worsts: readonly Amount[]
  /** Nothing of the job is limited: nothing was drawn for it. */
  readonly limited: boolean
  /** They were packed: what they may cost is held for their parts from now on. */
  packed(): void
  /** They were not. `ungranted`: since no grant of the job stands any more. */
  left(ungranted: boolean): void
}

interface Draws {
  readonly accountOf: (run: JobRun) => BudgetAccount
  /** Draws room for one request at the least, and for all where it can be had. */
  readonly draw: (account: BudgetAccount, worst: Amount, all: Amount) => Promise<void>
  /** A request has no price, though it is needed. */
  readonly noPrice: (run: JobRun) => void
}

/** Creates it over a worker's accounts. */
export function createBatchRoom({ accountOf, draw, noPrice }: Draws): BatchRoom {
  return {
    async takeRoom(tasks: readonly RowTask[]) {
      const [first] = tasks
      if (first === undefined) return NO_ROOM
      const account = accountOf(first.held.run)
      const worsts: Amount[] = []
      for (const task of tasks) {
        const worst = worstOf(task, targetOf(task).batch ?? undefined)
        if (worst === null) {
          noPrice(account.run)
          return NO_ROOM
        }
        worsts.push(worst)
      }
      if (!isLimited(account)) return { ...NO_ROOM, worsts }
      await account.drawing
      if (fitting(account, worsts) < worsts.length)
        await draw(account, worsts[0] as Amount, worsts.reduce(plus, NOTHING))
      return taken(account, worsts.slice(0, fitting(account, worsts)))
    },
  }
}

const NO_ROOM: RoomTaken = Object.freeze({
  worsts: [],
  limited: false,
  packed: () => undefined,
  left: () => undefined,
})

/** How many of these have room, from the first. */
function fitting({ purse }: BudgetAccount, worsts: readonly Amount[]): number {
  let [sum, n] = [NOTHING, 0]
  for (const worst of worsts) {
    sum = plus(sum, worst)
    if (!covers(purse.free, sum)) break
    n += 1
  }
  return n
}

function taken(account: BudgetAccount, worsts: readonly Amount[]): RoomTaken {
  const { purse } = account
  if (worsts.length === 0) return NO_ROOM
  const sum = worsts.reduce(plus, NOTHING)
  purse.reserve(sum)
  return {
    worsts,
    limited: true,
    packed: () => purse.settle(sum, { used: sum, doubtful: NOTHING }),
    left(ungranted) {
      purse.release(sum)
      if (!ungranted) return
      account.granted = false
      purse.void()
    },
  }
}
