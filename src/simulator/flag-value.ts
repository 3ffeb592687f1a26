import type { LimitChange } from './limits.ts'
import { ANY_MODEL, createBiller } from './price.ts'

export type FlagKind = 'change' | 'share' | 'duration' | 'count' | 'integer' | 'price' | 'switch'

/** One flag of `sluice simulate`. */
export interface SimulatorFlag {
  /** As it is typed, without the dashes. */
  readonly name: string
  readonly kind: FlagKind
  readonly help: string
}

/** What a value of each kind looks like, for people. */
export const EXPECTED: Readonly<Record<FlagKind, string>> = {
  change: 'a time and limits, such as 60s:rpm=300 or 60s:rpm=300,tpm=30000',
  share: 'a share such as 0.2 or 20%',
  duration: 'a duration such as 200ms, 2s or 1m',
  count: 'a whole number above 0',
  integer: 'a whole number, 0 or more',
  price: 'USD per million tokens, such as 0.25',
  switch: 'no value',
}

const UNIT_MS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** The value of a flag; `null`: it is none of its kind. */
export function parseValue(kind: FlagKind, raw: string | number | true): number | string | boolean | null {
  if (kind === 'switch') return raw === true ? true : null
  if (raw === true) return null
  const text = String(raw).trim()
  if (kind === 'share') return shareOf(text)
  if (kind === 'duration') return durationOf(text)
  if (kind === 'change') return changeOf(text) === null ? null : text
  if (kind === 'price') return isPrice(text) ? text : null
  const value = /^\d{1,15}$/.test(text) ? Number(text) : null
  return kind === 'count' && value === 0 ? null : value
}

function shareOf(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text)
  if (match === null) return null
  const value = Number(match[1]) / (match[2] === '%' ? 100 : 1)
  return value <= 1 ? value : null
}

function durationOf(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|)$/.exec(text)
  return match === null ? null : Number(match[1]) * (UNIT_MS[match[2] as string] as number)
}

/** Limits that change after a time; `null`: the text says no such thing. */
export function changeOf(text: string): LimitChange | null {
  const match = /^([^:]+):(rpm|tpm)=(\d{1,15})(?:,(rpm|tpm)=(\d{1,15}))?$/.exec(text)
  const afterMs = match === null ? null : durationOf(match[1] as string)
  if (match === null || afterMs === null || Number(match[3]) === 0 || Number(match[5]) === 0) return null
  const second = match[4] === undefined ? {} : { [match[4]]: Number(match[5]) }
  return { afterMs, [match[2] as string]: Number(match[3]), ...second }
}

function isPrice(text: string): boolean {
  try {
    createBiller({ [ANY_MODEL]: { input: text, output: text } })
    return true
  } catch {
    return false
  }
}

/** What was given, by the flags' names. */
export type Values = ReadonlyMap<string, number | string | boolean>

/** The number given for a flag; `null`: none was. */
export const numberAt = (values: Values, name: string): number | null => {
  const value = values.get(name)
  return typeof value === 'number' ? value : null
}
