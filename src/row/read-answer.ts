import { jsonSlices } from './json-slices.ts'
import { duplicateKey, parseJson, withExactNumbers } from './json-text.ts'
import { mendJson } from './mend.ts'

/** What is wrong with a value, by the user's schema; empty when it fits. */
export type Faults = (value: unknown) => readonly string[]

/**
 * A reply as it was understood. `value` fits the schema; `exact` is the same value for writing out, with the digits that the model gave.
 */
export type Reading =
  | {
      readonly ok: true
      readonly value: Readonly<Record<string, unknown>>
      readonly exact: Readonly<Record<string, unknown>>
    }
  | { readonly ok: false; readonly cause: 'invalid_json' | 'schema_invalid'; readonly message: string }

/**
 * Reads the JSON object in a reply: as it is; else with code fences, prose and broken punctuation put aside (`repair`). Nothing is invented
 * and nothing cut off is taken for whole: a reply that could be read in two ways, or whose JSON does not end, is not accepted.
 */
export function readAnswer(reply: string, faults: Faults, options: { readonly repair: boolean }): Reading {
  const text = withoutThoughts(reply).trim()
  if (text === '') return unreadable('the answer is empty')
  const whole = readText(text, faults)
  if (whole !== null) return whole
  if (!options.repair) return unreadable('the answer is not JSON')
  const { slices, cutOff } = jsonSlices(text)
  if (cutOff) return unreadable('the answer is not JSON: it does not end, or its quotes do not pair')
  if (slices.length === 0) return unreadable('the answer holds no JSON object')
  const readings = slices.flatMap((slice) => readSlice(slice, faults) ?? [])
  const fitting = readings.filter((reading) => reading.ok)
  const different = new Map(fitting.map((reading) => [JSON.stringify(reading.exact), reading]))
  if (different.size > 1) return unreadable(`the answer holds ${different.size} different JSON objects`)
  return [...different.values()][0] ?? readings.at(-1) ?? unreadable('the answer is not JSON, and could not be mended')
}

/** Some models served without a reasoning parser begin with their thoughts, which may hold drafts of the answer. */
function withoutThoughts(reply: string): string {
  return reply.replace(/^\s*<think>.*?<\/think>/s, '')
}

function readSlice(slice: string, faults: Faults): Reading | null {
  const strict = readText(slice, faults)
  if (strict !== null) return strict
  const mended = mendJson(slice)
  return mended === null ? null : readText(mended, faults)
}

/** Reads strict JSON; `null` when it is none. */
function readText(text: string, faults: Faults): Reading | null {
  const parsed = parseJson(text)
  if (parsed === undefined) return null
  const twice = duplicateKey(text)
  if (twice !== null) return unreadable(`the key ${JSON.stringify(twice)} stands twice in the answer`)
  const found = faults(parsed)
  if (found.length === 0) return accepted(parsed, withExactNumbers(text, parsed))
  return unwrapped(text, parsed, faults) ?? { ok: false, cause: 'schema_invalid', message: summed(found) }
}

/** `[{…}]`, `{"answer": {…}}` and JSON within a JSON string: the one object inside, where it fits and the whole does not. */
function unwrapped(text: string, parsed: unknown, faults: Faults): Reading | null {
  let value = parsed
  let exact = withExactNumbers(text, parsed)
  for (let depth = 0; depth < 3; depth++) {
    if (typeof value === 'string') {
      return value.trimStart().startsWith('{') ? readText(value, faults) : null
    }
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
    if (keys.length !== 1) return null
    const key = keys[0] as keyof typeof value
    value = (value as object)[key]
    exact = (exact as object)[key]
    if (faults(value).length === 0) return accepted(value, exact)
  }
  return null
}

function accepted(value: unknown, exact: unknown): Reading {
  return { ok: true, value: value as Record<string, unknown>, exact: exact as Record<string, unknown> }
}

function unreadable(message: string): Reading {
  return { ok: false, cause: 'invalid_json', message }
}

const SHOWN_FAULTS = 5

function summed(faults: readonly string[]): string {
  const shown = faults.slice(0, SHOWN_FAULTS).join('; ')
  return faults.length > SHOWN_FAULTS ? `${shown}; and ${faults.length - SHOWN_FAULTS} more` : shown
}
