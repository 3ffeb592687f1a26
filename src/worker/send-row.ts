import type { AttemptFact } from '../domain/attempt.ts'
import type { Cause } from '../domain/failure.ts'
import type { Outcome } from '../domain/row.ts'
import { backoffMs } from '../limit/backoff.ts'
import type { Slot } from '../limit/governor.ts'
import type { Settled } from '../row/row.ts'
import type { RowTask } from './held-chunk.ts'
import { intentOf, type Sent, targetOf } from './intent.ts'
import { order } from './job-run.ts'
import { flexRate, liveWayOf } from './live-way.ts'
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

/** What became of the right to send a request. */
type Sending = Sent | 'not sent' | 'abandoned'

/** Writes the attempt down, and then sends it. Where it was not sent, or was hung up on, the row stays pending. */
export async function sendRow(deps: WorkerDeps, partners: SendPartners, task: RowTask, slot: Slot): Promise<Sending> {
  const { hangUp } = partners
  const target = targetOf(task)
  const { tier, timeoutMs } = liveWayOf(task, deps.runtime.now())
  // At the dearer price, whatever it will be served at.
  const intent = intentOf(task, {
    id: deps.runtime.uuid(),
    lane: deps.lane.name,
    rate: target,
    startedAtMs: deps.runtime.now(),
  })
  const go = await partners.recorder.intend(task.held, intent)
  if (!go || hangUp.aborted) {
    slot.release(NOT_SENT)
    return 'not sent'
  }
  task.firstSentMs ??= intent.startedAtMs
  const options = { attemptId: intent.id, timeoutMs, signal: hangUp, ...(tier === 'flex' && { tier }) }
  const completion = await deps.lane.send(task.next.request, options).catch((error: unknown) => {
    slot.release(NOT_SENT)
    throw error
  })
  const failure = completion.ok ? null : completion.failure
  const flexRefused = tier === 'flex' && !completion.ok && completion.tierRefused === true
  // Before the slot is free for another that would be asked so.
  if (flexRefused) task.held.run.noFlex ??= `${target.modelId} is not served as flex (HTTP ${failure?.status})`
  // A request that was refused for good says nothing against the provider.
  const cause = failure === null ? null : failure.retryable || failure.cause === 'cancelled' ? failure.cause : null
  const { limits, usage, latencyMs } = completion
  const { outage } = slot.release({ cause, retryAfterMs: failure?.retryAfterMs ?? null, limits, usage, latencyMs })
  if (limits !== null) deps.events.emit('limit.signal', { account: target.account, signal: limits })
  // Abandoned: whether it was billed nobody knows. It stays open in the ledger, and whoever takes the chunk up books it as lost.
  if (failure?.cause === 'cancelled') return 'abandoned'
  const { price, priceNo } = tier === 'flex' ? flexRate(target, completion) : target
  return { intent: { ...intent, priceNo }, price, completion, outage, flexRefused }
}

/** Books what came back, with the row's outcome where that was the last. `wait`: the row asks again after so many ms; `null`: not in this run. */
export function settleRow(
  deps: Pick<WorkerDeps, 'runtime'>,
  recorder: Pick<Recorder, 'end'>,
  task: RowTask,
  sent: Sent,
): { readonly fact: AttemptFact; readonly wait: number | null } {
  const { held, row } = task
  const { run } = held
  const now = deps.runtime.now()
  const settled = excuse(run.program.settle(row, task.past, task.next, sent.completion), sent)
  const { next } = settled
  const fact = factOf(sent.intent, sent.price, sent.completion, settled.attempt, now)
  const end = (outcome: Outcome | null) => recorder.end(held, fact, outcome, sent.partId)
  task.past = [...task.past, pastOf(fact)]
  if (next.kind === 'pause') {
    end(null)
    const { cause, message } = next.failure
    const reason = cause === 'quota_exhausted' ? 'quota' : cause === 'credentials' ? 'credentials' : 'provider_down'
    order(run, { kind: 'own', reason, detail: message })
    return { fact, wait: null }
  }
  if (next.kind === 'again') {
    // Another step, or another model. The wait is the row's own; the account's hold comes on top.
    const prepared = prepareRow(held, row, task.past, now, task.fallback)
    if ('outcome' in prepared) {
      end(prepared.outcome)
      return { fact, wait: null }
    }
    end(null)
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
  end(outcome)
  return { fact, wait: null }
}

/** During an outage, and where flex is refused, a row's failure is the provider's: it uses nothing up, and the row is asked again. */
function excuse(settled: Settled, { outage, flexRefused = false }: Sent): Settled {
  const { cause } = settled.attempt
  if (cause === null || !(flexRefused || (outage && OUTAGE_CAUSES.has(cause)))) return settled
  if (settled.next.kind !== 'again' && settled.next.kind !== 'failed') return settled
  return {
    attempt: { ...settled.attempt, counts: false, ...(flexRefused && { retryable: true }) },
    next: { kind: 'again', when: flexRefused ? 'now' : 'wait', failure: settled.next.failure },
  }
}
