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
  /** Lets go of the governor and of every row that waits. */
  close(): void
}

interface PoolPartners {
  readonly recorder: Recorder
  readonly guard: StorageGuard
  /** Hangs up on what is in flight; nothing is sent any more. */
  readonly hangUp: AbortSignal
  /** Hears when a chunk has no row under way any more. */
  readonly onIdle: (held: HeldChunk) => void
  readonly onDefect: (error: unknown) => void
}

const OUTAGE_CAUSES: ReadonlySet<Cause> = new Set<Cause>(['connection', 'timeout', 'provider_error'])
const NOT_SENT = Object.freeze({ cause: 'cancelled', retryAfterMs: null, limits: null })

/** What came of a request that was sent. */
interface Sent {
  readonly intent: AttemptIntent
  readonly completion: Completion
  /** The provider as a whole is out. */
  readonly outage: boolean
}

/** Creates the pool of one worker. */
export function createPool(deps: WorkerDeps, partners: PoolPartners): Pool {
  const { runtime, governor } = deps
  const { recorder, guard, hangUp } = partners
  const ready = createReadyQueues()
  /** Rows that back off, and how to call each off. */
  const waiting = new Map<RowTask, () => void>()
  let inFlight = 0
  let lastServed = ''

  const mayRun = (task: RowTask) => !task.held.stale && task.held.run.stop === null
  const add = (task: RowTask) => {
    if (mayRun(task)) ready.push(targetOf(task).account, task)
  }
  const later = (task: RowTask, ms: number) => {
    const cancel = runtime.after(ms, () => {
      waiting.delete(task)
      add(task)
      pump()
    })
    waiting.set(task, cancel)
  }
  const callOff = (which: (task: RowTask) => boolean) => {
    for (const [task, cancel] of waiting) {
      if (!which(task)) continue
      cancel()
      waiting.delete(task)
    }
  }

  const start = async (task: RowTask, slot: Slot) => {
    const { held } = task
    inFlight += 1
    held.inFlight += 1
    try {
      const sent = await send(deps, partners, task, slot)
      const wait = sent === null ? null : settle(deps, recorder, task, sent)
      if (wait === 0) add(task)
      else if (wait !== null) later(task, wait)
    } catch (error) {
      partners.onDefect(error)
    } finally {
      inFlight -= 1
      held.inFlight -= 1
      if (held.inFlight === 0) partners.onIdle(held)
      pump()
    }
  }
  const hasRoom = () => !recorder.full && !guard.failing && !hangUp.aborted && inFlight < deps.rowsAtOnce()
  /** Sends the account's next row, where it has one and a slot for it. */
  const sendNext = (account: string): boolean => {
    const task = ready.peek(account, mayRun)
    if (task === null) return false
    const slot = governor.take(account, task.next.estimatedTokens)
    if (slot === null) return false
    ready.shift(account)
    lastServed = account
    void start(task, slot)
    return true
  }
  const pumpAccount = (account: string) => {
    while (hasRoom() && sendNext(account));
  }
  /** A row of each account in turn, from the one after the last served: where room is scarce, no account takes it all. */
  const pump = () => {
    let waiting = inTurn([...ready.accounts()], lastServed)
    while (waiting.length > 0) waiting = waiting.filter((account) => hasRoom() && sendNext(account))
  }
  const leaveGovernor = governor.onRoom(pumpAccount)

  return Object.freeze({
    add(tasks: readonly RowTask[]) {
      for (const task of tasks) add(task)
      pump()
    },
    pump,
    get inFlight() {
      return inFlight
    },
    drop(held: HeldChunk) {
      ready.drop(held)
      callOff((task) => task.held === held)
    },
    close() {
      leaveGovernor()
      callOff(() => true)
    },
  })
}

/** Writes the attempt down, and then sends it. `null`: it was not sent, or was hung up on; the row stays pending. */
async function send(deps: WorkerDeps, partners: PoolPartners, task: RowTask, slot: Slot): Promise<Sent | null> {
  const { hangUp } = partners
  const intent = intentOf(deps, task)
  const go = await partners.recorder.intend(task.held, intent)
  if (!go || hangUp.aborted) {
    slot.release(NOT_SENT)
    return null
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
  const { limits } = completion
  const { outage } = slot.release({ cause, retryAfterMs: failure?.retryAfterMs ?? null, limits })
  if (limits !== null) deps.events.emit('limit.signal', { account: targetOf(task).account, signal: limits })
  // Abandoned: whether it was billed nobody knows. It stays open in the ledger, and whoever takes the chunk up books it as lost.
  return failure?.cause === 'cancelled' ? null : { intent, completion, outage }
}

/** Books what came back, with the row's outcome where that was the last. Returns after how many ms the row asks again; `null`: not in this run. */
function settle(deps: WorkerDeps, recorder: Recorder, task: RowTask, sent: Sent): number | null {
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
    return null
  }
  if (next.kind === 'again') {
    // Another step, or another model. The wait is the row's own; the account's hold comes on top.
    const prepared = prepareRow(held, row, task.past, now, task.fallback)
    if ('outcome' in prepared) {
      recorder.end(held, fact, prepared.outcome)
      return null
    }
    recorder.end(held, fact, null)
    task.next = prepared.task.next
    task.fallback = prepared.task.fallback
    return next.when === 'now' ? 0 : backoffMs(task.past.length, deps.runtime.random(), next.failure.retryAfterMs)
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
  return null
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

/** The same in the same order, beginning after `last`. */
function inTurn(accounts: readonly string[], last: string): readonly string[] {
  const next = accounts.indexOf(last) + 1
  return next === 0 ? accounts : [...accounts.slice(next), ...accounts.slice(0, next)]
}

function intentOf(deps: WorkerDeps, task: RowTask): AttemptIntent {
  const { held, next } = task
  const target = targetOf(task)
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

function targetOf(task: RowTask): TargetRun {
  return task.held.run.targets.get(task.next.fallbackIndex) as TargetRun
}
