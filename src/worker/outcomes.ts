import type { AttemptFact, AttemptIntent, KnownAttempt } from '../domain/attempt.ts'
import { REPLY_CAP_BYTES } from '../domain/attempt.ts'
import type { Completion } from '../domain/completion.ts'
import type { Failure } from '../domain/failure.ts'
import { type Counters, NO_COUNTS } from '../domain/job.ts'
import type { NanoUsd, Price } from '../domain/money.ts'
import type { Outcome, OutcomeState, Row } from '../domain/row.ts'
import { costOf, NO_USAGE } from '../domain/usage.ts'
import type { Settled } from '../row/row.ts'
import type { RowTask } from './held-chunk.ts'
import type { JobRun } from './job-run.ts'

/** Text cut to the cap for replies, on a character. */
export function capReply(text: string | null): string | null {
  if (text === null || text.length * 3 <= REPLY_CAP_BYTES) return text
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= REPLY_CAP_BYTES) return text
  return new TextDecoder('utf-8').decode(bytes.subarray(0, REPLY_CAP_BYTES), { stream: true })
}

/** How an ended request is booked. Tokens count also where the answer was of no use: they were paid for. */
export function factOf(
  intent: AttemptIntent,
  price: Price | null,
  completion: Completion,
  settled: Settled['attempt'],
  endedAtMs: number,
): AttemptFact {
  const usage = completion.usage ?? NO_USAGE
  const failure = completion.ok ? null : completion.failure
  return {
    intent,
    endedAtMs,
    cause: settled.cause,
    message: settled.message,
    status: failure?.status ?? null,
    providerCode: failure?.providerCode ?? null,
    providerRequestId: completion.providerRequestId,
    counts: settled.counts,
    retryable: settled.retryable,
    usage,
    // An answer without usage was paid for, but nobody knows how much; a failure without usage was not billed.
    costNano: completion.usage === null ? (completion.ok ? null : 0) : costOf(usage, price),
    reply: capReply(settled.reply),
  }
}

/** An attempt that just ended, as later steps of the same row see it. */
export function pastOf(fact: AttemptFact): KnownAttempt {
  return {
    id: fact.intent.id,
    lane: fact.intent.lane,
    number: fact.intent.number,
    state: 'booked',
    cause: fact.cause,
    message: fact.message,
    counts: fact.counts,
    ...(fact.retryable !== undefined && { retryable: fact.retryable }),
    model: fact.intent.model,
    reply: fact.reply,
    inputTokens: fact.usage.inputTokens,
    outputTokens: fact.usage.outputTokens,
    costNano: fact.costNano,
    startedAtMs: fact.intent.startedAtMs,
    requestHash: fact.intent.requestHash,
  }
}

/** What an outcome is made of besides the row's attempts. */
interface Ending {
  readonly state: OutcomeState
  readonly failure: Failure | null
  readonly output: string | null
  readonly model: string | null
  readonly requestHash: string | null
  readonly fallback: boolean
  readonly firstSentMs: number | null
  readonly endedAtMs: number
}

/** The outcome of a row after its attempts (none, where it never was sent). */
export function outcomeOf(run: JobRun, row: Row, past: readonly KnownAttempt[], ending: Ending): Outcome {
  const last = past[past.length - 1]
  return {
    rowIndex: row.index,
    rowId: row.id,
    state: ending.state,
    cause: ending.failure?.cause ?? null,
    message: ending.failure?.message ?? null,
    output: ending.output,
    reply: ending.state === 'failed' ? (last?.reply ?? null) : null,
    attempts: past.reduce((sum, attempt) => sum + (attempt.counts ? 1 : 0), 0),
    model: ending.model ?? last?.model ?? null,
    lane: last?.lane ?? null,
    inputTokens: past.reduce((sum, attempt) => sum + attempt.inputTokens, 0),
    outputTokens: past.reduce((sum, attempt) => sum + attempt.outputTokens, 0),
    costNano: past.reduce<NanoUsd | null>(
      (sum, attempt) => (sum === null || attempt.costNano === null ? null : sum + attempt.costNano),
      0,
    ),
    latencyMs: ending.firstSentMs === null ? null : Math.max(0, Math.round(ending.endedAtMs - ending.firstSentMs)),
    requestHash: ending.requestHash,
    specHash: run.job.specHash,
    round: run.job.round,
    endedAtMs: ending.endedAtMs,
    fallback: ending.fallback,
  }
}

/** The answer of a row that was asked, to be reused. */
export interface Answer {
  readonly outcome: Outcome
  readonly jobNo: number
}

/** The outcome of a row whose answer another row has already paid for. What its own attempts used before stays with it. */
export function reusedOutcome(task: RowTask, { outcome: asked, jobNo }: Answer, endedAtMs: number): Outcome {
  const outcome = outcomeOf(task.held.run, task.row, task.past, {
    state: 'succeeded',
    failure: null,
    output: asked.output,
    model: asked.model,
    requestHash: task.requestHash,
    fallback: task.fallback,
    firstSentMs: null,
    endedAtMs,
  })
  const { inputTokens, outputTokens, costNano } = asked
  const saved = { here: jobNo === task.held.claim.jobNo, inputTokens, outputTokens, costNano: costNano ?? 0 }
  return { ...outcome, lane: 'cache', latencyMs: 0, saved }
}

/** What an ended attempt adds to its chunk's counters. */
export function usedBy({ usage, costNano }: AttemptFact): Counters {
  return {
    ...NO_COUNTS,
    attempts: 1,
    inputTokens: usage.inputTokens,
    cachedTokens: usage.cachedInputTokens,
    outputTokens: usage.outputTokens,
    costNano: costNano ?? 0,
    unpriced: costNano === null ? 1 : 0,
  }
}
