import { drawOf } from './draw.ts'

/**
 * What may go wrong with a request, drawn anew each time it is asked, in this order; at most one happens.
 * `slow`, `malformed`, `schema_missing` and `truncated` are answers, and are paid for; the others are not.
 */
export const ASK_FAULTS = [
  'rate_limited',
  'overloaded',
  'server_error',
  'reset',
  'slow',
  'malformed',
  'schema_missing',
  'truncated',
] as const

/** What is wrong with the question itself: drawn once for each body, so that asking again changes nothing. */
export const BODY_FAULTS = ['refusal', 'content_filter'] as const

export type Fault = (typeof ASK_FAULTS)[number] | (typeof BODY_FAULTS)[number]

/** Each fault's share of the requests, 0..1. */
export type FaultShares = Readonly<Record<Fault, number>>

export const NO_FAULTS: FaultShares = Object.freeze(
  Object.fromEntries([...ASK_FAULTS, ...BODY_FAULTS].map((fault) => [fault, 0])) as Record<Fault, number>,
)

/** Remembers how often a body was asked; the oldest of very many are forgotten and start again. */
export interface AskCounter {
  next(bodyName: string): number
}

const REMEMBERED = 1_000_000

export function createAskCounter(): AskCounter {
  const asked = new Map<number, number>()
  return Object.freeze({
    next: (bodyName: string) => {
      // 52 bits of the hash: among a million bodies, two fall together once in nine thousand such runs.
      const key = Number.parseInt(bodyName.slice(0, 13), 16)
      const count = (asked.get(key) ?? 0) + 1
      asked.set(key, count)
      if (asked.size > REMEMBERED) asked.delete(asked.keys().next().value as number)
      return count
    },
  })
}

/** The fault of one ask, or `null`. It depends on the seed, the body and how often that was asked: not on when it arrives. */
export function drawFault(shares: FaultShares, seed: number, bodyName: () => string, ask: number): Fault | null {
  return (
    drawn(ASK_FAULTS, shares, () => drawOf(seed, bodyName(), 'fault', ask)()) ??
    drawn(BODY_FAULTS, shares, () => drawOf(seed, bodyName(), 'body-fault')())
  )
}

function drawn<F extends Fault>(faults: readonly F[], shares: FaultShares, draw: () => number): F | null {
  if (faults.every((fault) => shares[fault] === 0)) return null
  let at = draw()
  for (const fault of faults) {
    at -= shares[fault]
    if (at < 0) return fault
  }
  return null
}
