import type { KnownAttempt } from '../domain/attempt.ts'
import { failure } from '../domain/failure.ts'
import type { Outcome, Row } from '../domain/row.ts'
import type { Delivery } from '../queue/queue.ts'
import type { ClaimedChunk } from '../store/store.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { fallbackAllowed, type JobRun } from './job-run.ts'
import { outcomeOf } from './outcomes.ts'
import { type AskedRow, askedBy, isOut, type ReturnedRow, readReturned } from './returned.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** A claimed chunk, its rows rendered: some have their outcome at once, some have come back from a batch, the others are to be answered. */
export interface OpenedChunk {
  readonly held: HeldChunk
  readonly outcomes: readonly Outcome[]
  readonly returned: readonly ReturnedRow[]
  readonly tasks: readonly RowTask[]
}

/**
 * Reads the rows of a claimed chunk that have no outcome yet, with their attempts of this round, and prepares each. Rows that cannot or need
 * not be sent (skipped, broken template) get their outcome here. `null`: rows of it are still out in a batch, and nothing is to be done.
 */
export async function openChunk(
  deps: Pick<WorkerDeps, 'store' | 'runtime' | 'readRows' | 'batch'>,
  run: JobRun,
  claimed: ClaimedChunk,
  delivery: Delivery,
): Promise<OpenedChunk | null> {
  const { chunk } = claimed
  const { store, runtime } = deps
  // A first claim has neither parts nor attempts to look for.
  const isFirst = chunk.epoch === 1
  const parts = isFirst ? [] : await store.batches.ofChunk(chunk)
  if (parts.some(isOut)) return null
  const [rows, ended, past] = await Promise.all([
    deps.readRows(chunk, run),
    store.rows.ended(chunk.jobNo, chunk.firstRow, chunk.rows),
    isFirst ? new Map<number, readonly KnownAttempt[]>() : store.attempts.ofChunk(chunk, run.job.round),
  ])
  const pending = rows.filter((row) => !ended.has(row.index))
  const held: HeldChunk = {
    run,
    chunk,
    claim: { jobNo: chunk.jobNo, chunkNo: chunk.chunkNo, epoch: chunk.epoch },
    delivery,
    parts,
    open: pending.length,
    inFlight: 0,
    tokens: 0,
    stale: false,
    closed: false,
  }
  const outcomes: Outcome[] = []
  const tasks: RowTask[] = []
  const asked: AskedRow[] = []
  const partOf = askedBy(parts, past)
  for (const row of pending) {
    const [attempts, part] = [past.get(row.index) ?? [], partOf.get(row.index)]
    if (part !== undefined) {
      asked.push({ row, past: attempts, part })
      continue
    }
    const prepared = prepareRow(held, row, attempts, runtime.now(), false)
    if ('task' in prepared) tasks.push(prepared.task)
    else outcomes.push(prepared.outcome)
  }
  return { held, outcomes, returned: await readReturned(deps.batch, held, asked), tasks }
}

type PreparedRow = { readonly task: RowTask } | { readonly outcome: Outcome }

/** Renders a row, or says how it ends without being (further) sent. A row that goes to a fallback for the first time uses up a share of it. */
export function prepareRow(
  held: HeldChunk,
  row: Row,
  past: readonly KnownAttempt[],
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
