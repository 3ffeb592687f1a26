import type { AttemptIntent } from '../domain/attempt.ts'
import type { Completion } from '../domain/completion.ts'
import type { Cause } from '../domain/failure.ts'
import { costOf } from '../domain/usage.ts'
import { backoffMs } from '../limit/backoff.ts'
import type { Slot } from '../limit/governor.ts'
import type { Settled } from '../row/row.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { order, type TargetRun } from './job-run.ts'
import { prepareRow } from './open-chunk.ts'
import { factOf, outcomeOf, pastOf } from './outcomes.ts'
import { createReadyQueues } from './ready-queues.ts'
import type { Recorder } from './recorder.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** Shares the slots of all accounts among the rows of all chunks in flight. */
export interface Pool {
  add(tasks: readonly RowTask[]): void
  /** Sends what may be sent now. */
  pump(): void
  readonly inFlight: number
  /** Takes back the rows of a chunk that are not under way; they stay pending. */
  drop(held: HeldChunk): void
}

const OUTAGE_CAUSES: ReadonlySet<Cause> = new Set<Cause>(['connection', 'timeout', 'provider_error'])

/** Creates the pool of one worker. `onIdle` hears when a chunk has no row under way any more. */
export function createPool(
  deps: WorkerDeps,
  more: {
    readonly recorder: Recorder
    readonly guard: StorageGuard
    readonly abandon: AbortSignal
    /** Whether the chunk is still ours: answers at once, unless this process was out of the world for so long that somebody may have taken it. */
    readonly stillOurs: (held: HeldChunk) => boolean | Promise<boolean>
    readonly onIdle: (held: HeldChunk) => void
    readonly onDefect: (held: HeldChunk, error: unknown) => void
  },
): Pool {
  const { runtime, governor, lane, events } = deps
  const { recorder, guard } = more
  const ready = createReadyQueues()
  let inFlight = 0

  const targetOf = (task: RowTask) => task.held.run.targets.get(task.next.fallbackIndex) as TargetRun
  const mayRun = (task: RowTask) => !task.held.stale && task.held.run.stop === null

  const add = (task: RowTask) => {
    if (mayRun(task)) ready.push(targetOf(task).account, task)
  }
  const later = (task: RowTask, ms: number) => {
    runtime.after(ms, () => {
      add(task)
      pump()
    })
  }

  const send = async (
    task: RowTask,
    slot: Slot,
  ): Promise<{ intent: AttemptIntent; completion: Completion; outage: boolean } | null> => {
    const target = targetOf(task)
    const intent = intentOf(deps, task, target)
    const go = (await recorder.intend(task.held, intent)) && (await more.stillOurs(task.held))
    if (!go || more.abandon.aborted) {
      slot.release({ cause: 'cancelled', retryAfterMs: null, limits: null })
      return null
    }
    task.firstSentMs ??= runtime.now()
    const completion = await lane.send(task.next.request, {
      attemptId: intent.id,
      timeoutMs: task.held.run.spec.execution.timeout.requestMs,
      signal: more.abandon,
    })
    const failure = completion.ok ? null : completion.failure
    // A request that was refused for good says nothing against the provider.
    const cause = failure === null ? null : failure.retryable || failure.cause === 'cancelled' ? failure.cause : null
    const { outage } = slot.release({ cause, retryAfterMs: failure?.retryAfterMs ?? null, limits: completion.limits })
    if (completion.limits !== null) events.emit('limit.signal', { account: target.account, signal: completion.limits })
    // Abandoned: whether it was billed nobody knows. It stays open in the ledger, and whoever takes the chunk up books it as lost.
    if (failure?.cause === 'cancelled') return null
    return { intent, completion, outage }
  }

  const run = async (task: RowTask, slot: Slot): Promise<void> => {
    const sent = await send(task, slot)
    if (sent === null) return
    const { held } = task
    const settled = excuse(held.run.program.settle(task.row, task.past, task.next, sent.completion), sent.outage)
    const now = runtime.now()
    const fact = factOf(sent.intent, targetOf(task), sent.completion, settled.attempt, now)
    task.past = [...task.past, pastOf(fact)]
    const { next } = settled
    if (next.kind === 'succeeded' || next.kind === 'failed') {
      const model = sent.completion.modelAnswered
      const failure = next.kind === 'failed' ? next.failure : null
      const output = next.kind === 'succeeded' ? next.output : null
      const { requestHash, fallback, firstSentMs } = task
      const ending = {
        state: next.kind,
        failure,
        output,
        model,
        requestHash,
        fallback,
        firstSentMs,
        endedAtMs: now,
      } as const
      recorder.end(held, fact, outcomeOf(held.run, task.row, task.past, ending))
    } else {
      recorder.end(held, fact, null)
      if (next.kind === 'pause') pauseFor(held, next.failure.cause, next.failure.message)
      else again(task, next.when, next.failure.retryAfterMs)
    }
    const tokens = fact.usage.inputTokens + fact.usage.outputTokens
    events.emit('attempt.ended', { jobNo: held.claim.jobNo, cause: fact.cause, tokens, again: next.kind === 'again' })
  }

  /** The row's next request: another step, or another model. Its wait is its own; the account's hold comes on top. */
  const again = (task: RowTask, when: 'now' | 'wait', askedMs: number | null) => {
    const prepared = prepareRow(task.held, task.row, task.past, runtime.now())
    if (!('task' in prepared)) {
      recorder.end(task.held, null, { ...prepared.outcome, fallback: task.fallback })
      return
    }
    if (prepared.task.next.fallbackIndex > task.next.fallbackIndex && !task.fallback) {
      task.fallback = true
      task.held.run.fallbackRows += 1
    }
    task.next = prepared.task.next
    if (when === 'now') add(task)
    else later(task, backoffMs(task.past.length, runtime.random(), askedMs))
  }

  const start = (task: RowTask, slot: Slot) => {
    inFlight += 1
    task.held.inFlight += 1
    run(task, slot)
      .catch((error: unknown) => more.onDefect(task.held, error))
      .finally(() => {
        inFlight -= 1
        task.held.inFlight -= 1
        if (task.held.inFlight === 0) more.onIdle(task.held)
        pump()
      })
  }

  const pumpAccount = (account: string) => {
    while (!recorder.full && !guard.failing && !more.abandon.aborted) {
      const task = ready.peek(account, mayRun)
      if (task === null) return
      const slot = governor.take(account, task.next.estimatedTokens)
      if (slot === null) return
      ready.shift(account)
      start(task, slot)
    }
  }
  const pump = () => {
    for (const account of ready.accounts()) pumpAccount(account)
  }
  governor.onRoom(pumpAccount)

  return Object.freeze({
    add(tasks: readonly RowTask[]) {
      for (const task of tasks) add(task)
      pump()
    },
    pump,
    get inFlight() {
      return inFlight
    },
    drop: (held: HeldChunk) => ready.drop(held),
  })
}

function intentOf(deps: WorkerDeps, task: RowTask, target: TargetRun): AttemptIntent {
  const { held, next } = task
  const worst = {
    inputTokens: next.worstInputTokens,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: next.worstOutputTokens,
    reasoningTokens: 0,
  }
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
    worstInputTokens: next.worstInputTokens,
    worstOutputTokens: next.worstOutputTokens,
    worstCostNano: costOf(worst, target.price),
  }
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

function pauseFor(held: HeldChunk, cause: Cause, message: string): void {
  const reason = cause === 'quota_exhausted' ? 'quota' : cause === 'credentials' ? 'credentials' : 'provider_down'
  order(held.run, { kind: 'own', reason, detail: message })
}
