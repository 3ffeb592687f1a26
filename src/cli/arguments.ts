import { InvalidArgumentError } from 'commander'
import { SCOPES, type Scope } from '../domain/access.ts'
import { CAUSES, type Cause, isCause } from '../domain/failure.ts'
import { JOB_STATES, type JobState } from '../domain/job.ts'
import { type NanoUsd, parseUsd } from '../domain/money.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A whole number from 1. */
export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.')
  return Number(text)
}

/** A sum in dollars such as `20` or `0.25`, in nano-dollars. */
export function dollars(text: string): NanoUsd {
  const nano = parseUsd(text)
  if (nano === null) throw new InvalidArgumentError('Expected dollars such as 20 or 0.25, with at most nine decimals.')
  return nano
}

/** A whole number from 0. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 0.')
  return Number(text)
}

/** A weight among others: a whole number from 1 to 1000. */
export function share(text: string): number {
  const weight = positiveInteger(text)
  if (weight > 1000) throw new InvalidArgumentError('Expected a whole number from 1 to 1000.')
  return weight
}

/** What `parse` reads, or the word `none`. (commander takes a `null` for a flag without a value.) */
export function orNone<T>(parse: (text: string) => T): (text: string) => T | 'none' {
  return (text) => (text === 'none' ? text : parse(text))
}

/** What a key may be for. */
export function scope(text: string): Scope {
  const known = SCOPES.find((each) => each === text)
  if (known === undefined) throw new InvalidArgumentError(`Scopes are: ${SCOPES.join(', ')}.`)
  return known
}

/** A span of time in ms: `90` (seconds), `500ms`, `30s`, `10m`, `2h`, `1d`. */
export function durationMs(text: string): number {
  const match = /^(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Expected a time like 90, 30s, 10m or 2h.')
  return Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 's'] as number))
}

/** A cause of the closed list. */
export function cause(text: string): Cause {
  if (!isCause(text)) throw new InvalidArgumentError(`Causes are: ${CAUSES.join(', ')}.`)
  return text
}

/** A state of a job. */
export function jobState(text: string): JobState {
  const state = JOB_STATES.find((each) => each === text)
  if (state === undefined) throw new InvalidArgumentError(`States are: ${JOB_STATES.join(', ')}.`)
  return state
}

/** For an option that may be given several times: each value is read by `parse` and added. */
export function several<T>(parse: (text: string) => T): (text: string, earlier: readonly T[] | undefined) => T[] {
  return (text, earlier) => [...(earlier ?? []), parse(text)]
}

/** `name=value`, added to those given before; the value may hold `=` and may be empty. */
export function keyValue(
  text: string,
  earlier: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Expected name=value.')
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) }
}
