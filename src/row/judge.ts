import type { Answered, Completion } from '../domain/completion.ts'
import { type Cause, type Failure, failure } from '../domain/failure.ts'
import type { JsonSchema } from '../domain/request.ts'
import type { Row } from '../domain/row.ts'
import type { CompiledCondition } from './condition.ts'
import { excerpt } from './cut.ts'
import { type Faults, type Reading, readAnswer } from './read-answer.ts'

/** What is said of one completion: the output as JSON text, or why there is none. */
export type Judgement =
  | { readonly accepted: true; readonly output: string }
  | { readonly accepted: false; readonly failure: Failure }

/** A check of `output.checks`, compiled. */
export interface CompiledCheck {
  readonly condition: CompiledCondition
  readonly message: string
}

/** What answers are judged by. */
export interface Bench {
  readonly schema: JsonSchema | null
  readonly columns: readonly string[]
  readonly faults: Faults
  readonly checks: readonly CompiledCheck[]
}

export type Judge = (row: Row, completion: Completion, maxOutputTokens: number | undefined) => Judgement

/**
 * Judges completions. An accepted output holds the declared columns, in their order, those that the answer gave; what else the answer held is
 * left out. It has passed the user's schema and every check.
 */
export function createJudge(bench: Bench): Judge {
  return (row, completion, maxOutputTokens) => {
    if (!completion.ok) return { accepted: false, failure: completion.failure }
    if (completion.finish === 'content_filter')
      return rejected('content_filtered', "the provider's filter blocked the answer")
    if (completion.finish === 'refusal') return rejected('refused', declined(completion.text))
    const reading = bench.schema === null ? readPlain(completion) : readJson(completion, bench.faults)
    if (!reading.ok) return unread(reading, completion, maxOutputTokens)
    const broken = brokenCheck(bench, row, reading.value)
    if (broken !== null) return rejected('check_failed', broken)
    return { accepted: true, output: outputText(reading.exact, bench.columns) }
  }
}

/** Only an answer that ended by itself is repaired: what was cut off must not be taken for whole. */
export function readJson(completion: Answered, faults: Faults): Reading {
  const reading = readAnswer(completion.text, faults, { repair: completion.finish === 'stop' })
  if (reading.ok || reading.cause === 'schema_invalid') return reading
  const begins = excerpt(completion.text, 80)
  return { ...reading, message: begins === '' ? reading.message : `${reading.message}; it begins: ${begins}` }
}

/** Why an answer could not be read: the limit that cut it off, where one did. */
export function unread(
  { cause, message }: Extract<Reading, { readonly ok: false }>,
  { finish }: Answered,
  maxOutputTokens: number | undefined,
): Judgement {
  return finish === 'length' ? rejected('truncated', cutOff(maxOutputTokens)) : rejected(cause, message)
}

/** Plain text is taken byte for byte. */
export function readPlain({ text, finish }: Answered): Reading {
  if (finish === 'length') return { ok: false, cause: 'schema_invalid', message: 'the answer was cut off' }
  if (text.trim() === '') return { ok: false, cause: 'schema_invalid', message: 'the answer is empty' }
  return { ok: true, value: { answer: text }, exact: { answer: text } }
}

/** Checks see every declared column: `null` where the answer left it out. What a check cannot find in a nested value counts as empty. */
function brokenCheck(bench: Bench, row: Row, value: Readonly<Record<string, unknown>>): string | null {
  if (bench.checks.length === 0) return null
  const output: Record<string, unknown> = Object.create(null)
  for (const name of bench.columns) output[name] = Object.hasOwn(value, name) ? value[name] : null
  for (const check of bench.checks) {
    const judged = check.condition.judge(row, output)
    if ('fault' in judged) return `${check.message} (the check failed: ${judged.fault.message})`
    if (!judged.holds) return check.message
  }
  return null
}

/** Written by hand: an object would put columns with names like `1` first. */
function outputText(value: Readonly<Record<string, unknown>>, columns: readonly string[]): string {
  const present = columns.filter((name) => Object.hasOwn(value, name))
  return `{${present.map((name) => `${JSON.stringify(name)}:${JSON.stringify(value[name])}`).join(',')}}`
}

function rejected(cause: Cause, message: string): Judgement {
  return { accepted: false, failure: failure(cause, message) }
}

function declined(text: string): string {
  const said = excerpt(text, 200)
  return said === '' ? 'the model declined to answer' : `the model declined: ${said}`
}

function cutOff(maxOutputTokens: number | undefined): string {
  return `the answer was cut off at ${maxOutputTokens === undefined ? "the model's limit" : `max_output_tokens (${maxOutputTokens})`}`
}
