import type { AttemptFact, AttemptIntent } from '../domain/attempt.ts'
import type { Completion } from '../domain/completion.ts'
import type { Cause } from '../domain/failure.ts'
import { costOf, worstUsage } from '../domain/usage.ts'
import { backoffMs } from '../limit/backoff.ts'
import type { Slot } from '../limit/governor.ts'
import type { Settled } from '../row/row.ts'
import type { RowTask } from './held-chunk.ts'
import { order, type TargetRun } from './job-run.ts'
import { prepareRow } from './open-chunk.ts'
import { factOf, outcomeOf, pastOf } from './outcomes.ts'
import type { Recorder } from './recorder.ts'
import type { WorkerDeps } from './worker-deps.ts'

interface SendPartners {
  readonly recorder: Pick<Recorder, 'intend'>
  /** Hangs up on what is in flight; nothing is sent any more. */
  readonly hangUp: AbortSignal
}

const OUTAGE_CAUSES: ReadonlySet<Cause> = new Set<Cause>(['connection', 'timeout', 'provider_error'])
const NOT_SENT = Object.freeze({ cause: 'cancelled', retryAfterMs: null, limits: null, usage: null, latencyMs: 0 })

/** What came of a request that was sent. */
interface Sent {
  readonly intent: AttemptIntent
  readonly completion: Completion
  /** The provider as a whole is out. */
  readonly outage: boolean
}

/** What became of the right to send a request. */
type Sending = Sent | 'not sent' | 'abandoned'

/** Writes the attempt down, and then sends it. Where it was not sent, or was hung up on, the row stays pending. */
export async function sendRow(deps: WorkerDeps, partners: SendPartners, task: RowTask, slot: Slot): Promise<Sending> {
  const { hangUp } = partners
  const intent = intentOf(deps, task)
  const go = await partners.recorder.intend(task.held, intent)
  if (!go || hangUp.aborted) {
    slot.release(NOT_SENT)
    return 'not sent'
  }
  task.firstSentMs ??= intent.startedAtMs
  const { requestMs } = task.held.run.spec.execution.timeout
  const options = { attemptId: intent.id, timeoutMs: requestMs, signal: hangUp }
  const completion = await deps.lane.send(task.next.request, options).catch((error: unknown) => {
    slot.release(NOT_SENT)
    throw error
  })
  const failure = completion.ok ? null : completion.failure
  // A request that was refused for good says nothing against the provider.
  const cause = failure === null ? null : failure.retryable || failure.cause === 'cancelled' ? failure.cause : null
  const { limits, usage, latencyMs } = completion
  const { outage } = slot.release({ cause, retryAfterMs: failure?.retryAfterMs ?? null, limits, usage, latencyMs })
  if (limits !== null) deps.events.emit('limit.signal', { account: targetOf(task).account, signal: limits })
  // Abandoned: whether it was billed nobody knows. It stays open in the ledger, and whoever takes the chunk up books it as lost.
  return failure?.cause === 'cancelled' ? 'abandoned' : { intent, completion, outage }
}

/** Books what came back, with the row's outcome where that was the last. `wait`: the row asks again after so many ms; `null`: not in this run. */
export function settleRow(
  deps: WorkerDeps,
  recorder: Recorder,
  task: RowTask,
  sent: Sent,
): { readonly fact: AttemptFact; readonly wait: number | null } {
  const { held, row } = task
  const { run } = held
  const now = deps.runtime.now()
  const settled = excuse(run.program.settle(row, task.past, task.next, sent.completion), sent.outage)
  const { next } = settled
  const fact = factOf(sent.intent, targetOf(task), sent.completion, settled.attempt, now)
  task.past = [...task.past, pastOf(fact)]
  if (next.kind === 'pause') {
    recorder.end(held, fact, null)
    const { cause, message } = next.failure
    const reason = cause === 'quota_exhausted' ? 'quota' : cause === 'credentials' ? 'credentials' : 'provider_down'
    order(run, { kind: 'own', reason, detail: message })
    return { fact, wait: null }
  }
  if (next.kind === 'again') {
    // Another step, or another model. The wait is the row's own; the account's hold comes on top.
    const prepared = prepareRow(held, row, task.past, now, task.fallback)
    if ('outcome' in prepared) {
      recorder.end(held, fact, prepared.outcome)
      return { fact, wait: null }
    }
    recorder.end(held, fact, null)
    task.next = prepared.task.next
    task.fallback = prepared.task.fallback
    const backoff = () => backoffMs(task.past.length, deps.runtime.random(), next.failure.retryAfterMs)
    return { fact, wait: next.when === 'now' ? 0 : backoff() }
  }
  const outcome = outcomeOf(run, row, task.past, {
    state: next.kind,
    failure: next.kind === 'failed' ? next.failure : null,
    output: next.kind === 'succeeded' ? next.output : null,
    model: sent.completion.modelAnswered,
    requestHash: task.requestHash,
    fallback: task.fallback,
    firstSentMs: task.firstSentMs,
    endedAtMs: now,
  })
  recorder.end(held, fact, outcome)
  return { fact, wait: null }
}

/** During an outage a row's failure is the provider's: it uses nothing up, and the row is asked again. */
function excuse(settled: Settled, outage: boolean): Settled {
  const { cause } = settled.attempt
  if (!outage || cause === null || !OUTAGE_CAUSES.has(cause)) return settled
  if (settled.next.kind !== 'again' && settled.next.kind !== 'failed') return settled
  return {
    attempt: { ...settled.attempt, counts: false },
    next: { kind: 'again', when: 'wait', failure: settled.next.failure },
  }
}

function intentOf(deps: WorkerDeps, task: RowTask): AttemptIntent {
  const { held, next } = task
  const target = targetOf(task)
  const worst = worstUsage(next.worstInputTokens, next.worstOutputTokens, target.price)
  return {
    id: deps.runtime.uuid(),
    jobNo: held.claim.jobNo,
    chunkNo: held.claim.chunkNo,
    epoch: held.claim.epoch,
    rowIndex: task.row.index,
    round: held.run.job.round,
    number: (task.past[task.past.length - 1]?.number ?? 0) + 1,
    model: target.modelId,
    lane: deps.lane.name,
    requestHash: next.requestHash,
    startedAtMs: deps.runtime.now(),
    worstInputTokens: worst.inputTokens,
    worstOutputTokens: worst.outputTokens,
    worstCacheWriteTokens: worst.cacheWriteTokens,
    worstCostNano: costOf(worst, target.price),
    priceNo: target.priceNo,
  }
}

/** The model that the row's next request asks. */
export function targetOf(task: RowTask): TargetRun {
  return task.held.run.targets.get(task.next.fallbackIndex) as TargetRun
}
