import type { Runtime } from '../runtime.ts'
import { type AccountLimits, createAccountLimits, type Wait } from './account-limits.ts'
import type { Demand, GivenLimits } from './demand.ts'
import type { Draw, Seen, Share, ShareState } from './share.ts'

interface Account {
  readonly limits: AccountLimits
  /** What the last request that was refused here waits for. */
  wait: (Wait & { readonly untilElapsedMs: number; readonly untilMs: number }) | null
  cancelWake: (() => void) | null
}

/** A limit that held something up is what binds for so long after. */
const BOUND_MS = 1_000

/** A share that one process has for itself. */
export function createOwnShare(runtime: Runtime): Share {
  const accounts = new Map<string, Account>()
  const listeners = new Set<(account: string) => void>()
  const of = (name: string): Account => {
    const known = accounts.get(name)
    if (known !== undefined) return known
    const account = { limits: createAccountLimits(runtime.elapsed()), wait: null, cancelWake: null }
    accounts.set(name, account)
    return account
  }
  const wakeAfter = (name: string, account: Account, ms: number) => {
    account.cancelWake?.()
    account.cancelWake = runtime.after(Math.max(1, Math.ceil(ms)), () => {
      account.cancelWake = null
      for (const listener of [...listeners]) listener(name)
    })
  }
  /** Another limit, or a wait that is forgotten, may end a wait sooner than was thought. */
  const wakeSooner = (name: string, account: Account) => {
    if (account.cancelWake !== null) wakeAfter(name, account, 1)
  }

  return Object.freeze({
    take(name: string, demand: Demand): Draw | null {
      const account = of(name)
      const now = runtime.elapsed()
      const wait = account.limits.waitFor(demand, now)
      if (wait !== null) {
        account.wait = { ...wait, untilElapsedMs: now + wait.ms, untilMs: runtime.now() + wait.ms }
        wakeAfter(name, account, wait.ms)
        return null
      }
      const taken = account.limits.draw(demand, now)
      let ended = false
      return {
        end(used: Demand | null, seen: Seen | null) {
          if (ended) throw new Error('what was taken was ended twice')
          ended = true
          account.limits.end(taken, used, seen, runtime.elapsed())
        },
      }
    },
    // Nobody else is known to use it.
    unsaturatedMs: () => null,
    measured: () => undefined,
    limit(name: string, limits: GivenLimits) {
      const account = of(name)
      account.limits.give(limits, runtime.elapsed())
      wakeSooner(name, account)
    },
    state(name: string): ShareState {
      const { limits, wait } = of(name)
      const now = runtime.elapsed()
      return {
        limits: limits.inForce(),
        bound: wait !== null && now < wait.untilElapsedMs + BOUND_MS ? wait.limit : null,
        untilMs: wait !== null && now < wait.untilElapsedMs ? wait.untilMs : null,
        inFlight: limits.inFlight,
      }
    },
    forgive(name: string) {
      const account = of(name)
      account.limits.forgive(runtime.elapsed())
      account.wait = null
      wakeSooner(name, account)
    },
    onRoom(listener: (account: string) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      for (const account of accounts.values()) account.cancelWake?.()
    },
  })
}
