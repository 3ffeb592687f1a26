import { type Kysely, type Selectable, sql } from 'kysely'
import type { StoredOutcome } from '../domain/stored.ts'
import { hashText } from './bytes.ts'
import { inStatements } from './database.ts'
import { outcomeOf } from './outcome-record.ts'
import type { AnswerSource } from './role/answers.ts'
import type { Database, RowsTable } from './schema.ts'

/**
 * How a request stands that somebody has claimed. `free`: its row failed or is gone, or its claim has passed. While the row's chunk has something in
 * a batch that is not settled, the claim does not pass; nobody owns it then, unless somebody holds the chunk.
 */
export type Standing =
  | { readonly kind: 'answered'; readonly source: AnswerSource; readonly outcome: StoredOutcome }
  | { readonly kind: 'held'; readonly source: AnswerSource; readonly owner: string | null }
  | { readonly kind: 'free'; readonly source: AnswerSource }

/** How requests of one tenant stand, by their hashes; those that nobody ever claimed are missing. `keys`: under what each stands. */
export async function standingsOf(
  db: Kysely<Database>,
  tenantNo: number,
  keys: ReadonlyMap<string, Uint8Array>,
): Promise<ReadonlyMap<string, Standing>> {
  const standings = new Map<string, Standing>()
  for (const part of inStatements([...keys], 3)) {
    const sources = await sourcesUnder(
      db,
      tenantNo,
      part.map(([, key]) => key),
    )
    if (sources.length === 0) continue
    const hashes = new Map(part.map(([hash, key]) => [hashText(key), hash]))
    const rows = await rowsAt(db, sources)
    // The latest comes last, and counts.
    for (const source of sources) {
      const requestHash = hashes.get(hashText(source.answer_key)) as string
      standings.set(requestHash, standingOf(source, rows.get(placeOf(source)), requestHash))
    }
  }
  return standings
}

type SourceRow = Awaited<ReturnType<typeof sourcesUnder>>[number]

function standingOf(found: SourceRow, row: Selectable<RowsTable> | undefined, requestHash: string): Standing {
  const source = {
    jobNo: found.job_no,
    chunkNo: found.chunk_no,
    epoch: found.epoch,
    rowIndex: found.row_index,
  }
  if (row === undefined) {
    // What is in a batch outlives every claim of its chunk.
    const holds = Number(found.parts) > 0 || (found.state === 'leased' && found.leased_epoch === found.epoch)
    return holds ? { kind: 'held', source, owner: found.owner } : { kind: 'free', source }
  }
  const outcome = outcomeOf(row)
  // The row may have been answered anew since, to another request.
  const answers = outcome.state === 'succeeded' && outcome.requestHash === requestHash
  return answers ? { kind: 'answered', source, outcome } : { kind: 'free', source }
}

/** What stands under these keys, the latest last. */
async function sourcesUnder(db: Kysely<Database>, tenantNo: number, keys: readonly Uint8Array[]) {
  const columns = ['answer_key', 'job_no', 'row_index', 'chunk_no', 'epoch'] as const
  const settled = db
    .selectFrom('answers')
    .select([...columns, sql<number>`0`.as('age')])
    .where('answer_key', 'in', keys)
  const recent = db
    .selectFrom('answers_recent')
    .select([...columns, 'entry_no as age'])
    .where('answer_key', 'in', keys)
  return await db
    .selectFrom(settled.unionAll(recent).as('answer'))
    .leftJoin('jobs', (join) => join.onRef('jobs.job_no', '=', 'answer.job_no').on('jobs.tenant_no', '=', tenantNo))
    .leftJoin('chunks', (join) =>
      join.onRef('chunks.job_no', '=', 'jobs.job_no').onRef('chunks.chunk_no', '=', 'answer.chunk_no'),
    )
    .select(['answer.answer_key', 'answer.job_no', 'answer.row_index', 'answer.chunk_no', 'answer.epoch'])
    .select(['jobs.bucket', 'chunks.state', 'chunks.epoch as leased_epoch', 'chunks.owner'])
    .select((eb) =>
      eb
        .selectFrom('batch_parts')
        .select(eb.fn.countAll<number>().as('parts'))
        .whereRef('batch_parts.job_no', '=', 'chunks.job_no')
        .whereRef('batch_parts.chunk_no', '=', 'chunks.chunk_no')
        .where('batch_parts.state', '<>', 'closed')
        .as('parts'),
    )
    .orderBy('answer.age')
    .execute()
}

/**
 * The outcomes of these rows, by their places. Queries of their own, and mostly none: joined to the answers, PostgreSQL at times goes over all rows
 * of a job to find the answers for them.
 */
async function rowsAt(db: Kysely<Database>, sources: readonly SourceRow[]) {
  const rows = new Map<string, Selectable<RowsTable>>()
  for (const [jobNo, ofJob] of Map.groupBy(sources, (source) => source.job_no)) {
    const bucket = ofJob[0]?.bucket
    if (bucket === null || bucket === undefined) continue
    const found = await db
      .selectFrom('rows')
      .selectAll()
      .where('bucket', '=', bucket)
      .where('job_no', '=', jobNo)
      .where('step', '=', 0)
      .where(
        'row_index',
        'in',
        ofJob.map((source) => source.row_index),
      )
      .execute()
    for (const row of found) rows.set(placeOf(row), row)
  }
  return rows
}

function placeOf({ job_no, row_index }: { readonly job_no: number; readonly row_index: number }): string {
  return `${job_no}/${row_index}`
}
