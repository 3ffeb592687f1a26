import type { BatchKind } from '../domain/batch.ts'
import { type Fields, numberIn } from '../provider/json.ts'
import type { ApiCall } from './api-call.ts'

/** Whose batch API is spoken to, and for what kind of requests. */
export interface ApiSetting {
  readonly call: ApiCall
  /** The address that the live lane uses, without a slash at the end. */
  readonly base: string
  readonly kind: Pick<BatchKind, 'url'>
  /** As the provider knows it. */
  readonly model: string
}

/** Under this name a shard's id stands in a batch's metadata. */
export const SHARD_KEY = 'sluice_shard'

/** A time that stands there in seconds, as ms. */
export function secondsIn(fields: Fields, key: string): number | null {
  const seconds = numberIn(fields, key)
  return seconds === null ? null : Math.round(seconds * 1000)
}

/** A time that stands there as RFC 3339, as UTC ms. */
export function momentIn(fields: Fields, key: string): number | null {
  const text = fields[key]
  const at = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : at
}

/** A name that came from a provider, as a path below the base; what could lead elsewhere is escaped. */
export function pathOf(name: string): string {
  return name
    .split('/')
    .map((step) => (/^\.*$/.test(step) ? '-' : encodeURIComponent(step)))
    .join('/')
}
