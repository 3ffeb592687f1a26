import { type LimitKind, MINUTE_MS } from './demand.ts'
import { type Found, foundElsewhere } from './found-limit.ts'

/** Which of an account's limits. */
export interface LimitName {
  readonly kind: LimitKind
  readonly windowMs: number
}

/** What one unit of a limit takes of its time now: all who draw on it at this price keep to it together. */
export interface Price extends LimitName {
  readonly msPerUnit: number
}

/** A limit by the provider's word, or found from its refusals: `sought`, and not measured yet; measured; `grown` from there by feeling for more. */
export interface Learned extends LimitName {
  readonly how: 'said' | 'sought' | 'found' | 'grown'
  readonly limit: number
  /** When refusals last showed it, for what is found; what is said holds until another word. */
  readonly sinceMs: number
}

/** What refusals have shown. */
export function learnedOf({ limit, searching, cutAtMs }: Found): readonly Learned[] {
  const how = searching ? 'sought' : 'found'
  return limit === null ? [] : [{ kind: 'requests', windowMs: MINUTE_MS, how, limit, sinceMs: cutAtMs }]
}

/** After another, who shares the account, has learned this from its refusals. */
export function takenOver(found: Found, { how, limit, sinceMs }: Learned, nowMs: number): Found {
  if (how === 'grown' && found.limit !== null) return { ...found, limit: Math.max(found.limit, limit) }
  return foundElsewhere(limit, how === 'sought', sinceMs, nowMs)
}
