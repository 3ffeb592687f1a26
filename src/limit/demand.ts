import type { LimitsSpec } from '../domain/spec.ts'

/** What a request draws on an account's limits: estimated before it is sent, known after. Tokens as the provider's usage counts them. */
export interface Demand {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What a limit counts. `tokens`: input and output together. */
export type LimitKind = 'requests' | 'tokens' | 'inputTokens' | 'outputTokens'

export const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000

/** Limits that a spec gives (`execution.limits`). */
export type GivenLimits = LimitsSpec

export const NO_LIMITS: GivenLimits = Object.freeze({
  rpm: null,
  tpm: null,
  itpm: null,
  otpm: null,
  rpd: null,
  tpd: null,
})

/** What each given limit counts, and over which time. */
export const GIVEN_LIMITS: Readonly<
  Record<keyof GivenLimits, { readonly kind: LimitKind; readonly windowMs: number }>
> = Object.freeze({
  rpm: { kind: 'requests', windowMs: MINUTE_MS },
  tpm: { kind: 'tokens', windowMs: MINUTE_MS },
  itpm: { kind: 'inputTokens', windowMs: MINUTE_MS },
  otpm: { kind: 'outputTokens', windowMs: MINUTE_MS },
  rpd: { kind: 'requests', windowMs: DAY_MS },
  tpd: { kind: 'tokens', windowMs: DAY_MS },
})

/** How much of `demand` a limit of this kind counts. */
export function amountOf(kind: LimitKind, demand: Demand): number {
  switch (kind) {
    case 'requests':
      return demand.requests
    case 'tokens':
      return demand.inputTokens + demand.outputTokens
    case 'inputTokens':
      return demand.inputTokens
    case 'outputTokens':
      return demand.outputTokens
  }
}

/** The smaller of each: two jobs that use one account are both bound by what either says. */
export function smallest(a: GivenLimits, b: GivenLimits): GivenLimits {
  const least = (x: number | null, y: number | null) => (x === null ? y : y === null ? x : Math.min(x, y))
  return {
    rpm: least(a.rpm, b.rpm),
    tpm: least(a.tpm, b.tpm),
    itpm: least(a.itpm, b.itpm),
    otpm: least(a.otpm, b.otpm),
    rpd: least(a.rpd, b.rpd),
    tpd: least(a.tpd, b.tpd),
  }
}

/** `a` and so many times `b`. */
export function plusDemand(a: Demand, b: Demand, times: 1 | -1): Demand {
  return {
    requests: a.requests + times * b.requests,
    inputTokens: a.inputTokens + times * b.inputTokens,
    outputTokens: a.outputTokens + times * b.outputTokens,
  }
}
