import { type Kysely, type Selectable, sql } from 'kysely'
import type { Chunk, ChunkRef } from '../domain/chunk.ts'
import { hashText } from './bytes.ts'
import { countersOf } from './counters.ts'
import type { ChunksTable, Database } from './schema.ts'

/** A query for chunks with the key of their segment. */
export function selectChunks(db: Kysely<Database>) {
  return db
    .selectFrom('chunks')
    .innerJoin('segments', (join) =>
      join.onRef('segments.job_no', '=', 'chunks.job_no').onRef('segments.segment_no', '=', 'chunks.segment_no'),
    )
    .selectAll('chunks')
    .select('segments.blob_key')
}

/** The numbers of the job's chunks that may have counters of their own: a few, found by an index of their own, however many chunks there are. */
export function countingChunks(db: Kysely<Database>, jobNo: number) {
  return db.selectFrom('chunks').select('chunk_no').where('job_no', '=', jobNo).where('counting', '=', sql.lit(1))
}

/** Those of several jobs, each with its job. */
export function countingChunksOf(db: Kysely<Database>, jobNos: readonly number[]) {
  const chunks = db.selectFrom('chunks').select(['job_no', 'chunk_no']).where('job_no', 'in', jobNos)
  return chunks.where('counting', '=', sql.lit(1)).$asTuple('job_no', 'chunk_no')
}

/** The numbers of the job's chunks that are parked, found in the same way. */
export function parkedChunks(db: Kysely<Database>, jobNo: number) {
  const chunks = db.selectFrom('chunks').select('chunk_no').where('job_no', '=', jobNo)
  return chunks.where('state', '=', sql.lit('parked' as const))
}

/** One chunk as the manifest holds it. */
export async function readChunk(db: Kysely<Database>, ref: ChunkRef): Promise<Chunk | null> {
  const row = await selectChunks(db)
    .where('chunks.job_no', '=', ref.jobNo)
    .where('chunk_no', '=', ref.chunkNo)
    .executeTakeFirst()
  return row === undefined ? null : chunkOf(row)
}

/** A row of `chunks`, with the key of its segment, as the domain's chunk. */
export function chunkOf(row: Selectable<ChunksTable> & { readonly blob_key: string }): Chunk {
  return {
    jobNo: row.job_no,
    chunkNo: row.chunk_no,
    segmentKey: row.blob_key,
    byteOffset: row.byte_offset,
    byteLength: row.byte_length,
    sha256: hashText(row.sha256),
    firstRow: row.first_row,
    rows: row.rows,
    state: row.state,
    epoch: row.epoch,
    owner: row.owner,
    deaths: row.deaths,
    round: row.round,
    doneNo: row.done_no,
    counters: countersOf(row),
  }
}
