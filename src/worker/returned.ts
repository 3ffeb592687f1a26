import { batchAttemptId } from '../batch/attempt-id.ts'
import type { BatchResult } from '../batch/batch-api.ts'
import { readResults } from '../batch/results.ts'
import { BlobMissing } from '../blob/blob.ts'
import type { KnownAttempt } from '../domain/attempt.ts'
import type { BatchPart } from '../domain/batch.ts'
import type { Completion } from '../domain/completion.ts'
import { type Failure, failure } from '../domain/failure.ts'
import type { Row } from '../domain/row.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { intentOf, type Sent, targetOf } from './intent.ts'
import type { Rate } from './job-run.ts'
import type { BatchDeps } from './worker-deps.ts'

/** A row that a part of a batch has asked, and what came of it. */
export interface ReturnedRow {
  readonly task: RowTask
  readonly sent: Sent
}

/** A row that a part asked, not yet booked. */
export interface AskedRow {
  readonly row: Row
  readonly past: readonly KnownAttempt[]
  readonly part: BatchPart
}

type Results = Awaited<ReturnType<typeof readResults>>

const NO_REPLY = { usage: null, limits: null, providerRequestId: null, latencyMs: 0, modelAnswered: null } as const
const UNKNOWN_RATE: Rate = Object.freeze({ price: null, priceNo: null })

/** Whether the part is on its way, or about to be: its rows must not be asked by anybody. */
export function isOut({ state }: BatchPart): boolean {
  return state === 'packed' || state === 'placed'
}

/** The part was called off before anybody worked on it: its rows were never asked. */
function wasCalledOff({ state, failure: why }: BatchPart): boolean {
  return state === 'void' && why?.cause === 'cancelled'
}

/** The part that has asked each row, where that is not in the ledger yet. */
export function askedBy(
  parts: readonly BatchPart[],
  past: ReadonlyMap<number, readonly KnownAttempt[]>,
): ReadonlyMap<number, BatchPart> {
  const asked = new Map<number, BatchPart>()
  for (const part of parts) {
    if (wasCalledOff(part)) continue
    for (const rowIndex of part.rows) {
      const booked = past.get(rowIndex) ?? []
      const isBooked = booked.length > 0 && hasAttempt(booked, batchAttemptId(part.id, rowIndex))
      if (!isBooked) asked.set(rowIndex, part)
    }
  }
  return asked
}

function hasAttempt(attempts: readonly KnownAttempt[], id: string): boolean {
  return attempts.some((attempt) => attempt.id === id)
}

/**
 * Reads what came of rows that parts of a chunk have asked. A line that is missing, or makes no sense, costs only its row. Memory: the results of
 * the chunk. Rejects with SluiceError `credentials_missing` where the key has gone meanwhile.
 */
export async function readReturned(
  deps: BatchDeps,
  held: HeldChunk,
  rows: readonly AskedRow[],
): Promise<readonly ReturnedRow[]> {
  const returned: ReturnedRow[] = []
  for (const [part, asked] of Map.groupBy(rows, (each) => each.part)) {
    const results = await resultsOf(deps, part)
    for (const { row, past } of asked) {
      const task = askedTask(held, part, row, past)
      const result = results?.get(row.index)?.result ?? lackOf(part, results === null)
      const completion = await completionOf(deps, task, part, result)
      const { batch } = targetOf(task)
      const way = { id: batchAttemptId(part.id, row.index), lane: 'batch', startedAtMs: part.packedAtMs } as const
      const rate = batch ?? UNKNOWN_RATE
      const intent = intentOf(task, { ...way, rate })
      returned.push({ task, sent: { intent, price: rate.price, completion, outage: false, partId: part.id } })
    }
  }
  return returned
}

/**
 * `null`: they are not there any more. They go only once nobody needs them: whoever finds it so has lost the chunk long ago, and can write nothing; or
 * somebody else has removed them, and the rows are asked again.
 */
async function resultsOf({ blob, apis }: BatchDeps, part: BatchPart): Promise<Results | null> {
  if (part.results === null) return new Map()
  try {
    return await readResults(blob, part, apis.open(part.kind).readLine)
  } catch (error) {
    if (error instanceof BlobMissing) return null
    throw error
  }
}

/** The row with the request that the part has asked: `prepare` makes the same of the same attempts. */
function askedTask(held: HeldChunk, part: BatchPart, row: Row, past: readonly KnownAttempt[]): RowTask {
  const { run } = held
  const { id, baseUrl } = part.kind.target
  const isAsked = (index: number) => {
    const target = run.spec.model.fallback[index]?.target
    return target?.id === id && target.baseUrl === baseUrl
  }
  const next = run.program.prepare(row, past, { fallbackAllowed: isAsked })
  if (next.kind !== 'send') throw new Error(`row ${row.index} was asked by batch, and now it would not be`)
  return {
    held,
    row,
    past,
    next,
    requestHash: past[0]?.requestHash ?? next.requestHash,
    fallback: next.fallbackIndex >= 0,
    firstSentMs: past[0]?.startedAtMs ?? part.packedAtMs,
  }
}

function lackOf({ failure: why }: BatchPart, gone: boolean): BatchResult {
  const lack = gone ? "the batch's results are gone" : "the batch's results hold nothing of this row"
  return { kind: 'none', failure: why ?? failure('unknown', lack) }
}

async function completionOf(
  { models }: BatchDeps,
  { next }: RowTask,
  { kind }: BatchPart,
  result: BatchResult,
): Promise<Completion> {
  if (result.kind !== 'reply') return { ok: false, failure: askedAgain(result.failure), ...NO_REPLY }
  const { status, body, requestId } = result
  return await models
    .open(next.request.target)
    .decode(next.request, { status, body, requestId, schemaLevel: kind.schemaLevel })
}

/** A batch that somebody cancelled at the provider says nothing against its rows. */
function askedAgain(why: Failure): Failure {
  return why.cause === 'cancelled' ? { ...why, cause: 'batch_expired' } : why
}
