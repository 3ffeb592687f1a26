import type { Kysely, Selectable } from 'kysely'
import { CAUSE_RULES, type Cause } from '../domain/failure.ts'
import type { Outcome } from '../domain/row.ts'
import type { PendingRow } from './role/chunks.ts'
import type { ChunksTable, Database } from './schema.ts'

/** The outcome that the pending rows of a chunk get when it ends without them. */
export interface Ending {
  readonly pending: readonly PendingRow[]
  readonly state: 'failed' | 'cancelled'
  readonly cause: Cause
  readonly message: string
}

/** How the rows of a cancelled job end. */
export const CANCELLED = Object.freeze({
  state: 'cancelled',
  cause: 'cancelled',
  message: CAUSE_RULES.cancelled.meaning,
}) satisfies Omit<Ending, 'pending'>

/** The outcomes of the chunk's pending rows, each with what its attempts of this round have used. */
export async function outcomesOfPending(
  db: Kysely<Database>,
  chunk: Selectable<ChunksTable>,
  ending: Ending,
  atMs: number,
): Promise<readonly Outcome[]> {
  if (ending.pending.length === 0) return []
  const job = await db
    .selectFrom('jobs')
    .select(['round', 'spec_hash'])
    .where('job_no', '=', chunk.job_no)
    .executeTakeFirstOrThrow()
  const used = await usedByRow(db, chunk, job.round)
  return ending.pending.map(({ index, id }) => ({
    rowIndex: index,
    rowId: id,
    state: ending.state,
    cause: ending.cause,
    message: ending.message,
    output: null,
    reply: null,
    model: null,
    lane: null,
    latencyMs: null,
    requestHash: null,
    specHash: job.spec_hash,
    round: job.round,
    endedAtMs: atMs,
    fallback: false,
    ...(used.get(index) ?? UNUSED),
  }))
}

type Used = Pick<Outcome, 'attempts' | 'inputTokens' | 'outputTokens' | 'costNano'>

const UNUSED: Used = Object.freeze({ attempts: 0, inputTokens: 0, outputTokens: 0, costNano: 0 })

async function usedByRow(
  db: Kysely<Database>,
  chunk: Selectable<ChunksTable>,
  round: number,
): Promise<ReadonlyMap<number, Used>> {
  const rows = await db
    .selectFrom('attempts')
    .select(['row_index', (eb) => eb.fn.countAll<number>().as('sent')])
    .select((eb) => [
      eb.fn.sum<number>('counts').as('attempts'),
      eb.fn.sum<number>('input_tokens').as('input_tokens'),
      eb.fn.sum<number>('output_tokens').as('output_tokens'),
      eb.fn.sum<number>('cost_nano').as('cost_nano'),
      eb.fn.count<number>('cost_nano').as('priced'),
    ])
    .where('job_no', '=', chunk.job_no)
    .where('chunk_no', '=', chunk.chunk_no)
    .where('round', '=', round)
    .groupBy('row_index')
    .execute()
  const entries = rows.map((row): [number, Used] => [
    row.row_index,
    {
      attempts: Number(row.attempts),
      inputTokens: Number(row.input_tokens),
      outputTokens: Number(row.output_tokens),
      costNano: Number(row.priced) === Number(row.sent) ? Number(row.cost_nano) : null,
    },
  ])
  return new Map(entries)
}
