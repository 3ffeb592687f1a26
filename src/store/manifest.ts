import { type Kysely, sql } from 'kysely'
import type { InputDescription } from '../domain/job.ts'
import type { Outcome, UnreadableLine } from '../domain/row.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { hashBytes } from './bytes.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import type { IntakeProgress, NewSegment } from './role/chunks.ts'
import type { Database } from './schema.ts'

/**
 * Commits one segment: its chunks, its unreadable lines as dead letters, and where in the source to go on. Refused as `job_state` when the
 * job is over, or when another process has committed this segment: two may never read one input.
 */
export async function appendSegment(database: StoreDatabase, segment: NewSegment, atMs: number): Promise<void> {
  await database.write(async (tx) => {
    const db = database.handle(tx)
    const job = await addToJob(db, segment)
    await insertSegment(db, segment)
    await insertChunks(db, segment)
    for (const [chunkNo, lines] of Map.groupBy(segment.unreadable, (line) => line.chunkNo)) {
      const chunk = { bucket: job.bucket, jobNo: segment.jobNo, chunkNo }
      const outcomes = lines.map((line) => deadLetter(line, job.spec_hash, atMs))
      await database.insertOutcomes(tx, chunk, outcomes)
    }
  })
}

/** What intake has committed of the job so far. */
export async function readIntakeProgress(db: Kysely<Database>, jobNo: number): Promise<IntakeProgress> {
  const job = await db
    .selectFrom('jobs')
    .select(['segments', 'rows_total', 'unreadable', 'intake_position', 'manifest_closed'])
    .where('job_no', '=', jobNo)
    .executeTakeFirstOrThrow()
  return {
    segments: job.segments,
    rows: job.rows_total,
    unreadable: job.unreadable,
    position: job.intake_position,
    done: job.manifest_closed === 1,
  }
}

/** Closes the manifest: no segment can follow. A large job's rows get a place of their own, to which its unreadable lines move. */
export async function closeManifest(
  database: StoreDatabase,
  tx: StoreTx,
  jobNo: number,
  input: InputDescription,
  inputHash: string,
): Promise<void> {
  const db = database.handle(tx)
  const job = await db
    .updateTable('jobs')
    .set({ input: JSON.stringify(input), input_hash: inputHash, manifest_closed: 1 })
    .where('job_no', '=', jobNo)
    .returning(['bucket', 'rows_total'])
    .executeTakeFirstOrThrow()
  const bucket = await database.ownBucket(tx, jobNo, job.rows_total)
  if (bucket === null) return
  await db.updateTable('rows').set({ bucket }).where('bucket', '=', job.bucket).where('job_no', '=', jobNo).execute()
  await db.updateTable('jobs').set({ bucket }).where('job_no', '=', jobNo).execute()
}

async function addToJob(db: Kysely<Database>, segment: NewSegment) {
  const rows = segment.chunks.reduce((sum, chunk) => sum + chunk.rows, 0)
  const job = await db
    .updateTable('jobs')
    .set({
      segments: sql`segments + 1`,
      rows_total: sql`rows_total + ${rows}`,
      chunks_total: sql`chunks_total + ${segment.chunks.length}`,
      open_chunks: sql`open_chunks + ${segment.chunks.length}`,
      unreadable: sql`unreadable + ${segment.unreadable.length}`,
      intake_position: segment.position,
    })
    .where('job_no', '=', segment.jobNo)
    .where('manifest_closed', '=', 0)
    .where('state', 'not in', ['completed', 'failed', 'cancelled'])
    .returning(['bucket', 'spec_hash'])
    .executeTakeFirst()
  if (job === undefined)
    throw new SluiceError('job_state', 'The job takes no more input: it is over, or was read in full.')
  return job
}

async function insertSegment(db: Kysely<Database>, segment: NewSegment): Promise<void> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('segments')
    .values({
      job_no: segment.jobNo,
      segment_no: segment.segmentNo,
      blob_key: segment.key,
      bytes: segment.bytes,
      sha256: hashBytes(segment.sha256),
    })
    .onConflict((conflict) => conflict.columns(['job_no', 'segment_no']).doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows === 1n) return
  throw new SluiceError('job_state', 'Another process is reading the input of this job.', {
    hint: 'Let it finish, and see `sluice status`.',
  })
}

async function insertChunks(db: Kysely<Database>, segment: NewSegment): Promise<void> {
  const unreadable = Map.groupBy(segment.unreadable, (line) => line.chunkNo)
  const rows = segment.chunks.map((chunk) => {
    const failed = unreadable.get(chunk.chunkNo)?.length ?? 0
    return {
      job_no: segment.jobNo,
      chunk_no: chunk.chunkNo,
      segment_no: segment.segmentNo,
      byte_offset: chunk.byteOffset,
      byte_length: chunk.byteLength,
      sha256: hashBytes(chunk.sha256),
      first_row: chunk.firstRow,
      rows: chunk.rows,
      failed,
      counting: failed > 0 ? 1 : 0,
    }
  })
  for (const part of inStatements(rows, 10)) await db.insertInto('chunks').values(part).execute()
}

/** The excerpt of the line stands where other dead letters have the model's last reply. */
function deadLetter(line: UnreadableLine, specHash: string, atMs: number): Outcome {
  return {
    rowIndex: line.index,
    rowId: `line:${line.line}`,
    state: 'failed',
    cause: 'input_unreadable',
    message: `${line.file}:${line.line}: ${line.message}`,
    output: null,
    reply: line.excerpt,
    attempts: 0,
    model: null,
    lane: null,
    inputTokens: 0,
    outputTokens: 0,
    costNano: 0,
    latencyMs: null,
    requestHash: null,
    specHash,
    round: 0,
    endedAtMs: atMs,
    fallback: false,
  }
}
