import type { Chunk } from '../domain/chunk.ts'
import { stringifyExact } from '../domain/exact-json.ts'
import type { Cause } from '../domain/failure.ts'
import type { Job } from '../domain/job.ts'
import { toUsd } from '../domain/money.ts'
import type { Row, Value } from '../domain/row.ts'
import type { StoredAttempt, StoredOutcome } from '../domain/stored.ts'
import type { Store } from '../store/store.ts'

/** What dead letters are gathered from. */
export interface DeadLetterSource {
  readonly job: Job
  readonly store: {
    readonly chunks: Pick<Store['chunks'], 'get'>
    readonly rows: Pick<Store['rows'], 'list'>
    readonly attempts: Pick<Store['attempts'], 'ofRow'>
  }
  /** The readable rows of a chunk, from the snapshot. */
  readonly readRows: (chunk: Chunk) => Promise<readonly Row[]>
}

/** A row that gave up, with all that is known of it. */
export interface DeadLetter {
  readonly outcome: StoredOutcome
  /** By column; `null`: the line could not be read, or its snapshot is gone. */
  readonly input: Readonly<Record<string, Value>> | null
  /** Of every round, oldest first. */
  readonly attempts: readonly StoredAttempt[]
}

const PAGE_ROWS = 200

/** The dead letters of a job in input order, of all causes or of one; holds one chunk's rows in memory. */
export async function* deadLetters(source: DeadLetterSource, cause: Cause | null): AsyncGenerator<DeadLetter> {
  const { job, store } = source
  const inputOf = inputReader(source)
  let from = 0
  for (;;) {
    const page = await store.rows.list(job.jobNo, from, PAGE_ROWS, ['failed'])
    for (const outcome of page) {
      from = outcome.rowIndex + 1
      if (cause !== null && outcome.cause !== cause) continue
      const attempts = await store.attempts.ofRow(job.jobNo, outcome.rowIndex)
      yield { outcome, input: await inputOf(outcome), attempts }
    }
    if (page.length < PAGE_ROWS) return
  }
}

/** A dead letter as one line of NDJSON. It holds the row's contents: whoever asks for it asks for them. */
export function deadLetterLine({ outcome, input, attempts }: DeadLetter): string {
  return `${stringifyExact({
    type: 'dead_letter',
    row_id: outcome.rowId,
    row_index: outcome.rowIndex,
    chunk_id: outcome.chunkNo,
    cause: outcome.cause,
    message: outcome.message,
    input,
    // An unreadable line never had a reply: the store keeps the beginning of the line in its place.
    excerpt: outcome.cause === 'input_unreadable' ? outcome.reply : null,
    last_reply: outcome.cause === 'input_unreadable' ? null : outcome.reply,
    model: outcome.model,
    input_tokens: outcome.inputTokens,
    output_tokens: outcome.outputTokens,
    cost_usd: usd(outcome.costNano),
    latency_ms: outcome.latencyMs,
    round: outcome.round,
    spec_hash: outcome.specHash,
    ended_at: iso(outcome.endedAtMs),
    attempts: attempts.map(attemptDocument),
  })}\n`
}

/** An attempt as all JSON tells of it. */
export function attemptDocument(attempt: StoredAttempt): { readonly [key: string]: Value } {
  return {
    id: attempt.id,
    round: attempt.round,
    number: attempt.number,
    state: attempt.state,
    model: attempt.model,
    started_at: iso(attempt.startedAtMs),
    ended_at: attempt.endedAtMs === null ? null : iso(attempt.endedAtMs),
    cause: attempt.cause,
    message: attempt.message,
    status: attempt.status,
    provider_code: attempt.providerCode,
    provider_request_id: attempt.providerRequestId,
    counts: attempt.counts,
    input_tokens: attempt.inputTokens,
    cached_tokens: attempt.cachedTokens,
    output_tokens: attempt.outputTokens,
    cost_usd: usd(attempt.costNano),
    reply: attempt.reply,
  }
}

/** Reads a chunk once for all of its dead letters that follow each other. */
function inputReader({ job, store, readRows }: DeadLetterSource) {
  const columns = job.input?.columns ?? []
  let chunkNo: number | null = null
  let rows: ReadonlyMap<number, Row> = new Map()
  return async ({ chunkNo: wanted, rowIndex }: StoredOutcome): Promise<DeadLetter['input']> => {
    if (wanted !== chunkNo) {
      const chunk = await store.chunks.get({ jobNo: job.jobNo, chunkNo: wanted })
      rows = new Map((chunk === null ? [] : await readRows(chunk)).map((row) => [row.index, row]))
      chunkNo = wanted
    }
    const row = rows.get(rowIndex)
    return row === undefined ? null : Object.fromEntries(columns.map((name, at) => [name, row.values[at] ?? null]))
  }
}

function usd(nano: number | null): number | null {
  return nano === null ? null : toUsd(nano)
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}
