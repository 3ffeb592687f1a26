import type { Cause } from '../domain/failure.ts'
import type { Runtime } from '../runtime.ts'
import { backoffMs } from './backoff.ts'
import { type Breaker, CLOSED, failed, isDown, speaksOfOutage } from './breaker.ts'
import { type Concurrency, cut, grow, startConcurrency, withMax } from './concurrency.ts'
import type { Governor, GovernorState, Slot, SlotResult } from './governor.ts'

interface Account {
  concurrency: Concurrency
  breaker: Breaker
  inFlight: number
  heldUntilMs: number | null
  heldFor: Cause | null
  /** Push-backs without an answer between them: they lengthen the hold. */
  pushBacks: number
  cancelWake: (() => void) | null
}

const PUSH_BACK: ReadonlySet<Cause> = new Set<Cause>(['rate_limited', 'overloaded'])
const OUTAGE_SIGNS: ReadonlySet<Cause> = new Set<Cause>(['overloaded', 'connection', 'timeout', 'provider_error'])

/** How long an outage waits between two probes at the most. */
const PROBE_CAP_MS = 15_000

/**
 * A governor for one process: adaptive concurrency per account; a push-back holds the whole account until the provider's Retry-After (or a
 * growing, jittered wait) has passed; an outage lets through one probe at a time.
 */
export function createAdaptiveGovernor(options: {
  readonly runtime: Runtime
  readonly defaultMax: number
  readonly onHold?: (account: string, untilMs: number, cause: Cause) => void
  readonly onChange?: (account: string, concurrency: number, reason: string) => void
}): Governor {
  const { runtime } = options
  const accounts = new Map<string, Account>()
  const listeners = new Set<(account: string) => void>()

  const of = (name: string): Account => {
    let account = accounts.get(name)
    if (account === undefined) {
      const concurrency = startConcurrency(options.defaultMax)
      account = {
        concurrency,
        breaker: CLOSED,
        inFlight: 0,
        heldUntilMs: null,
        heldFor: null,
        pushBacks: 0,
        cancelWake: null,
      }
      accounts.set(name, account)
    }
    return account
  }
  const announce = (name: string) => {
    for (const listener of [...listeners]) listener(name)
  }
  const hold = (name: string, account: Account, untilMs: number, cause: Cause) => {
    if (account.heldUntilMs !== null && account.heldUntilMs >= untilMs) return
    account.heldUntilMs = untilMs
    account.heldFor = cause
    account.cancelWake?.()
    account.cancelWake = runtime.after(Math.max(1, untilMs - runtime.now()), () => {
      account.cancelWake = null
      account.heldUntilMs = null
      account.heldFor = null
      announce(name)
    })
    options.onHold?.(name, untilMs, cause)
  }

  const release = (name: string, account: Account, sentAtMs: number, result: SlotResult): { outage: boolean } => {
    const now = runtime.now()
    const before = account.concurrency.limit
    if (result.cause === 'cancelled') {
      account.inFlight -= 1
      announce(name)
      return { outage: speaksOfOutage(account.breaker) }
    }
    if (result.cause !== null && OUTAGE_SIGNS.has(result.cause)) account.breaker = failed(account.breaker, now)
    else account.breaker = CLOSED
    if (result.cause !== null && PUSH_BACK.has(result.cause)) {
      const cutAt = account.concurrency.cutAtMs
      account.concurrency = cut(account.concurrency, sentAtMs, now)
      if (account.concurrency.cutAtMs !== cutAt) account.pushBacks += 1
      hold(name, account, now + backoffMs(account.pushBacks, runtime.random(), result.retryAfterMs), result.cause)
    } else if (result.cause === null) {
      account.pushBacks = 0
      account.concurrency = grow(account.concurrency, account.inFlight)
    }
    if (account.breaker.open && result.cause !== null) {
      const wait = backoffMs(account.breaker.failuresInARow - 12, 0.5 + runtime.random() / 2, result.retryAfterMs, {
        baseMs: 500,
        capMs: PROBE_CAP_MS,
      })
      hold(name, account, now + wait, result.cause)
    }
    account.inFlight -= 1
    if (account.concurrency.limit !== before)
      options.onChange?.(name, account.concurrency.limit, result.cause ?? 'answered')
    announce(name)
    return { outage: speaksOfOutage(account.breaker) }
  }

  return Object.freeze({
    take(name: string): Slot | null {
      const account = of(name)
      if (account.heldUntilMs !== null) return null
      if (account.inFlight >= (account.breaker.open ? 1 : account.concurrency.limit)) return null
      account.inFlight += 1
      const sentAtMs = runtime.now()
      let released = false
      return {
        release(result: SlotResult) {
          if (released) throw new Error('a slot was released twice')
          released = true
          return release(name, account, sentAtMs, result)
        },
      }
    },
    setMax(name: string, max: number) {
      const account = of(name)
      if (account.concurrency.max === max) return
      account.concurrency = withMax(account.concurrency, max)
      announce(name)
    },
    state(name: string): GovernorState {
      const account = of(name)
      return {
        inFlight: account.inFlight,
        concurrency: account.concurrency.limit,
        heldUntilMs: account.heldUntilMs,
        heldFor: account.heldFor,
        outage: account.breaker.open,
        down: isDown(account.breaker, runtime.now()),
      }
    },
    forgiveOutage(name: string) {
      of(name).breaker = CLOSED
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
