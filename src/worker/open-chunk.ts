import type { PastAttempt } from '../domain/attempt.ts'
import { failure } from '../domain/failure.ts'
import type { Outcome, Row } from '../domain/row.ts'
import type { Delivery } from '../queue/queue.ts'
import type { ClaimedChunk } from '../store/store.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { fallbackAllowed, type JobRun } from './job-run.ts'
import { outcomeOf } from './outcomes.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** A claimed chunk, its rows rendered: some have their outcome at once, the others are to be answered. */
export interface OpenedChunk {
  readonly held: HeldChunk
  readonly outcomes: readonly Outcome[]
  readonly tasks: readonly RowTask[]
}

/**
 * Reads the rows of a claimed chunk that have no outcome yet, with their attempts of this round, and prepares each. Rows that cannot or need
 * not be sent (skipped, broken template) get their outcome here.
 */
export async function openChunk(
  deps: WorkerDeps,
  run: JobRun,
  claimed: ClaimedChunk,
  delivery: Delivery,
): Promise<OpenedChunk> {
  const { chunk } = claimed
  const { store, runtime } = deps
  const [rows, ended, past] = await Promise.all([
    deps.readRows(chunk, run),
    store.rows.ended(chunk.jobNo, chunk.firstRow, chunk.rows),
    // A first claim has no attempts to look for.
    chunk.epoch > 1 ? store.attempts.ofChunk(chunk, run.job.round) : new Map<number, readonly PastAttempt[]>(),
  ])
  const pending = rows.filter((row) => !ended.has(row.index))
  const held: HeldChunk = {
    run,
    chunk,
    claim: { jobNo: chunk.jobNo, chunkNo: chunk.chunkNo, epoch: chunk.epoch },
    delivery,
    open: pending.length,
    inFlight: 0,
    stale: false,
    closed: false,
  }
  const outcomes: Outcome[] = []
  const tasks: RowTask[] = []
  for (const row of pending) {
    const prepared = prepareRow(held, row, past.get(row.index) ?? [], runtime.now(), false)
    if ('task' in prepared) tasks.push(prepared.task)
    else outcomes.push(prepared.outcome)
  }
  return { held, outcomes, tasks }
}

type PreparedRow = { readonly task: RowTask } | { readonly outcome: Outcome }

/** Renders a row, or says how it ends without being (further) sent. A row that goes to a fallback for the first time uses up a share of it. */
export function prepareRow(
  held: HeldChunk,
  row: Row,
  past: readonly PastAttempt[],
  nowMs: number,
  hadFallback: boolean,
): PreparedRow {
  const { run } = held
  const prepared = run.program.prepare(row, past, { fallbackAllowed: (index) => fallbackAllowed(run, index) })
  if (prepared.kind === 'send') {
    const fallback = prepared.fallbackIndex >= 0
    if (fallback && !hadFallback) run.fallbackRows += 1
    return {
      task: {
        held,
        row,
        past,
        next: prepared,
        requestHash: past[0]?.requestHash ?? prepared.requestHash,
        fallback: fallback || hadFallback,
        firstSentMs: past[0]?.startedAtMs ?? null,
      },
    }
  }
  const outcome = outcomeOf(run, row, past, {
    state: prepared.kind === 'skip' ? 'skipped' : 'failed',
    failure: prepared.kind === 'skip' ? null : prepared.failure,
    output: null,
    model: null,
    requestHash: past[0]?.requestHash ?? null,
    fallback: hadFallback,
    firstSentMs: past[0]?.startedAtMs ?? null,
    endedAtMs: nowMs,
  })
  return { outcome }
}

/** Why a chunk that keeps killing its workers is given up. */
export function chunkFailure(deaths: number) {
  return failure('chunk_failed', `the workers that held this chunk died ${deaths} times over it`)
}
