import { type PastAttempt, REPLY_CAP_BYTES } from '../domain/attempt.ts'
import type { ReadChat } from '../domain/chat.ts'
import type { Completion } from '../domain/completion.ts'
import { type Failure, failure } from '../domain/failure.ts'
import type { ModelTarget } from '../domain/request.ts'
import type { Row } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import { type Compiled, compile } from './compile.ts'
import { cutBytes, storable } from './cut.ts'
import { buildRequest, type Size, sizer } from './request.ts'
import { requestHash } from './request-hash.ts'
import type { Prepared, PrepareOptions, RowProgram, Sendable, Settled } from './row.ts'
import {
  after,
  fallbacksAfter,
  MAIN_MODEL,
  type Policy,
  policyOf,
  ruleOf,
  type Standing,
  standingOf,
} from './standing.ts'

/** Bytes of a message that are kept with an attempt, and fed back to the model. */
const MESSAGE_CAP_BYTES = 1000

/**
 * The life of the rows of one spec and one set of columns (architecture §3.3). `prepare` and `settle` are pure: they look at the row, its
 * attempts and the completion, and at nothing else. Throws SluiceError `spec_invalid`, with all findings, where templates, conditions or
 * schema do not compile, or name what is not there. `readChat` is needed where the rows are whole requests (`prompt.request`).
 */
export function createRowProgram(spec: Spec, columns: readonly string[], readChat?: ReadChat): RowProgram {
  const parts: Parts = {
    spec,
    compiled: compile(spec, columns, readChat),
    policy: policyOf(spec),
    sizeOf: sizer(spec.output.schema),
  }
  return Object.freeze({
    prepare: (row: Row, past: readonly PastAttempt[], options: PrepareOptions) => prepare(parts, row, past, options),
    settle: (row: Row, past: readonly PastAttempt[], sent: Sendable, completion: Completion) =>
      settle(parts, row, past, sent, completion),
  })
}

interface Parts {
  readonly spec: Spec
  readonly compiled: Compiled
  readonly policy: Policy
  readonly sizeOf: ReturnType<typeof sizer>
}

function prepare(parts: Parts, row: Row, past: readonly PastAttempt[], options: PrepareOptions): Prepared {
  const { where, prompt } = parts.compiled
  const judged = where === null ? { holds: true } : where.judge(row, null)
  if ('fault' in judged)
    return failed('template_error', `input.where, column ${judged.fault.column}: ${judged.fault.message}`)
  if (!judged.holds) return { kind: 'skip' }
  const standing = standingOf(past, parts.policy)
  const fallbackIndex = nextModel(standing, parts.policy, options)
  if (fallbackIndex === null) return given(standing)
  const prompted = prompt(row)
  if (!prompted.ok) return failed('template_error', prompted.message)
  const stays = fallbackIndex === standing.fallbackIndex
  const step = stays ? standing.invalid + 1 : 1
  const { own } = prompted
  const target = targetAt(parts.spec, fallbackIndex)
  const request = buildRequest({
    target: own === undefined ? target : { ...target, params: { ...target.params, ...own.params } },
    system: prompted.system,
    messages: prompted.messages,
    schema: own === undefined ? parts.spec.output.schema : own.schema,
    fixed: prompted.fixed,
    step,
    rejected: stays ? standing.rejected : null,
  })
  const { inputTokens, ...size } = (own === undefined ? parts.sizeOf : sizer(own.schema))(request)
  const over = overBudget(parts.spec.budget.rowTokens, standing, { inputTokens, ...size })
  if (over !== null) return failed('row_budget', over)
  return { kind: 'send', request, requestHash: requestHash(request), step, fallbackIndex, ...size }
}

/** The model to ask: the same while it may be asked, else the first fallback that is due and allowed; `null`: none is left. */
function nextModel(standing: Standing, policy: Policy, options: PrepareOptions): number | null {
  if (standing.endedBy === null) return standing.fallbackIndex
  return fallbacksAfter(standing, policy).find((index) => options.fallbackAllowed(index)) ?? null
}

function targetAt(spec: Spec, fallbackIndex: number): ModelTarget {
  return fallbackIndex === MAIN_MODEL
    ? spec.model.target
    : (spec.model.fallback[fallbackIndex]?.target ?? spec.model.target)
}

function overBudget(rowTokens: number | null, standing: Standing, size: Size): string | null {
  if (rowTokens === null) return null
  // A later request holds the first one's prompt: what that was counted at is known better than any estimate.
  const next = Math.max(size.inputTokens, standing.largestInput) + size.worstOutputTokens
  if (standing.tokens + next <= rowTokens) return null
  const used = standing.tokens === 0 ? '' : `, ${standing.tokens} are used`
  const last = standing.rejected ?? standing.endedBy
  const why = last === null ? '' : ` (before: ${last.cause}: ${last.message})`
  return `the next request may take ${next} tokens${used}, and budget.row_tokens is ${rowTokens}${why}`
}

/** A row whose models are all used up, read back without an outcome: it ends with its last failure. */
function given(standing: Standing): Prepared {
  const last = standing.endedBy
  return failed(last?.cause ?? 'unknown', last?.message ?? 'no model is left to ask')
}

function failed(cause: Failure['cause'], message: string): Prepared {
  return { kind: 'fail', failure: failure(cause, message, { retryable: false }) }
}

function settle(parts: Parts, row: Row, past: readonly PastAttempt[], sent: Sendable, completion: Completion): Settled {
  const { target } = sent.request
  const judgement = parts.compiled.judge(row, completion, target.params.max_output_tokens)
  if (judgement.accepted) {
    return {
      attempt: { cause: null, message: null, counts: true, retryable: true, reply: null },
      next: { kind: 'succeeded', output: judgement.output },
    }
  }
  const why: Failure = { ...judgement.failure, message: kept(judgement.failure.message, MESSAGE_CAP_BYTES) }
  const rule = ruleOf(why.cause, true)
  const attempt = {
    cause: why.cause,
    message: why.message,
    counts: rule !== 'free' && rule !== 'pause',
    retryable: why.retryable,
    reply: completion.ok && completion.text !== '' ? kept(completion.text, REPLY_CAP_BYTES) : null,
  }
  const booked: PastAttempt = {
    ...attempt,
    number: past.reduce((highest, { number }) => Math.max(highest, number), 0) + 1,
    state: 'booked',
    model: target.id,
    inputTokens: completion.usage?.inputTokens ?? 0,
    outputTokens: completion.usage?.outputTokens ?? 0,
    costNano: null,
    startedAtMs: 0,
    requestHash: sent.requestHash,
  }
  return { attempt, next: nextOf(after(standingOf(past, parts.policy), booked, parts.policy), parts.policy, why) }
}

function nextOf(standing: Standing, policy: Policy, why: Failure): Settled['next'] {
  const rule = ruleOf(why.cause, why.retryable)
  if (rule === 'pause') return { kind: 'pause', failure: why }
  if (standing.endedBy === null) return { kind: 'again', when: rule === 'on_invalid' ? 'now' : 'wait', failure: why }
  return fallbacksAfter(standing, policy).length > 0
    ? { kind: 'again', when: 'now', failure: why }
    : { kind: 'failed', failure: why }
}

/** Text as it will be read back: what is decided from it later is decided from the same now. */
function kept(text: string, maxBytes: number): string {
  return cutBytes(storable(text), maxBytes)
}
