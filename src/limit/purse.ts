import { type Amount, type Charge, covers, minus, NOTHING, plus } from '../domain/budget.ts'

/**
 * What one worker may still use of a job's budget: what it was granted, without what ended requests took out of it. Requests under way hold their
 * worst case.
 */
export interface Purse {
  /** What nothing under way needs. Below zero where requests are under way that nothing was granted for: they began before there was a budget. */
  readonly free: Amount
  readonly reserved: Amount
  /** Requests under way. */
  readonly inFlight: number
  /** What ended requests have used since this was asked last. */
  takeUsed(): Amount
  /** Reserves the worst case of a request, if there is room for it. */
  reserve(worst: Amount): boolean
  /** The same without asking for room: where there is no budget. */
  track(worst: Amount): void
  /** The request was not sent. */
  release(worst: Amount): void
  /** It was hung up on, and will be booked as lost: its worst case stays reserved. */
  abandon(): void
  /** It has ended, and its booking follows. */
  settle(worst: Amount, charge: Charge): void
  grant(amount: Amount): void
  giveUp(amount: Amount): void
  /** Nothing of what was granted stands any more. */
  void(): void
}

/** An empty purse. */
export function createPurse(): Purse {
  let left = NOTHING
  let reserved = NOTHING
  let used = NOTHING
  let inFlight = 0
  return Object.freeze({
    get free() {
      return minus(left, reserved)
    },
    get reserved() {
      return reserved
    },
    get inFlight() {
      return inFlight
    },
    takeUsed() {
      const before = used
      used = NOTHING
      return before
    },
    reserve(worst: Amount) {
      if (!covers(minus(left, reserved), worst)) return false
      reserved = plus(reserved, worst)
      inFlight += 1
      return true
    },
    track(worst: Amount) {
      reserved = plus(reserved, worst)
      inFlight += 1
    },
    release(worst: Amount) {
      reserved = minus(reserved, worst)
      inFlight -= 1
    },
    abandon() {
      inFlight -= 1
    },
    settle(worst: Amount, charge: Charge) {
      const taken = plus(charge.used, charge.doubtful)
      reserved = minus(reserved, worst)
      left = minus(left, taken)
      used = plus(used, taken)
      inFlight -= 1
    },
    grant(amount: Amount) {
      left = plus(left, amount)
    },
    giveUp(amount: Amount) {
      left = minus(left, amount)
    },
    void() {
      left = NOTHING
    },
  })
}
