import type { Batch, BatchProvider, RowCounts } from './batch.ts'
import type { Book } from './book.ts'
import type { BatchEnd, BatchPhase } from './course.ts'

/** What became of all batches, as `/__simulator/batches` tells it. Times are milliseconds, costs nano-dollars. */
export interface BatchReport {
  readonly batches: readonly BatchLine[]
  /** By the owner's name of the batch. `calls`: create calls, heard or not; `batches`: what came of them; `worked`: those of these that did not fail as a whole. */
  readonly shards: Readonly<
    Record<string, { readonly calls: number; readonly batches: number; readonly worked: number }>
  >
  /** Calls by provider and endpoint, such as `openai create`. */
  readonly calls: Readonly<Record<string, number>>
  /** Answers are being worked out: figures are not final. */
  readonly working: boolean
}

export interface BatchLine extends Readonly<RowCounts> {
  readonly id: string
  readonly provider: BatchProvider
  readonly shard: string | null
  readonly model: string
  readonly requests: number
  readonly input_tokens: number
  readonly state: BatchPhase
  readonly end: BatchEnd | null
  /** Why it failed as a whole. */
  readonly failure: string | null
  readonly created_at: number
  readonly ended_at: number | null
  readonly billed_requests: number
  readonly cost_nano: number
  /** Downloads of its results. */
  readonly fetched: number
  /** Names the ids of its requests: what was sent twice has one fingerprint. */
  readonly fingerprint: string
}

/** What a book holds, and the calls that made it. */
export function reportOf(book: Book, calls: ReadonlyMap<string, number>): BatchReport {
  const batches = book.all()
  const shards = [...book.calls].map(([shard, count]) => {
    const ours = batches.filter((batch) => batch.shard === shard)
    const worked = ours.filter((batch) => batch.course.end !== 'failed').length
    return [shard, { calls: count, batches: ours.length, worked }] as const
  })
  return {
    batches: batches.map((batch) => lineOf(book, batch)),
    shards: Object.fromEntries(shards),
    calls: Object.fromEntries(calls),
    working: book.isWorking(),
  }
}

function lineOf(book: Book, batch: Batch): BatchLine {
  const { course, counts, sums, survey } = batch
  const endedMs = book.endedMs(batch)
  return {
    id: batch.id,
    provider: batch.provider,
    shard: batch.shard,
    model: batch.model,
    requests: survey.requests,
    input_tokens: survey.inputTokens,
    state: book.phase(batch),
    end: endedMs === null ? null : course.end,
    failure: course.failure?.code ?? null,
    created_at: course.createdMs,
    ended_at: endedMs,
    ...counts,
    billed_requests: sums.billed,
    cost_nano: sums.costNano,
    fetched: (batch.output?.served ?? 0) + (batch.errors?.served ?? 0),
    fingerprint: survey.fingerprint,
  }
}
