import { type Kysely, sql } from 'kysely'
import type { ChunkRef } from '../domain/chunk.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { handCountersOver, takeCountersBack } from './chunk-counters.ts'
import { cancelOpenChunk, completeChunk, failChunk } from './chunk-end.ts'
import { hasResults, isIdle } from './chunk-parts.ts'
import { chunkOf, countingChunks, parkedChunks, readChunk, selectChunks } from './chunk-record.ts'
import type { StoreDatabase } from './database.ts'
import { jobOf } from './job-record.ts'
import { changeState } from './job-state.ts'
import { countLost } from './lost.ts'
import { appendSegment, closeManifest, readIntakeProgress } from './manifest.ts'
import type { Chunks, ClaimedChunk, NextChunks } from './role/chunks.ts'
import type { Database } from './schema.ts'

/**
 * The manifest, and who works on what. A chunk's row is its fence: every change of a claimed chunk is an update that names the claim's epoch,
 * and so locks the row before anything else is touched. Locks are taken in this order: chunk, its attempts and rows, its job.
 */
export function chunksRole(database: StoreDatabase, now: () => number): Chunks {
  const { reader, handle } = database
  return Object.freeze({
    appendSegment: (segment) => appendSegment(database, segment, now()),
    intakeProgress: (jobNo) => readIntakeProgress(reader, jobNo),
    closeManifest: (tx, jobNo, input, inputHash) => closeManifest(database, tx, jobNo, input, inputHash),
    get: (ref) => readChunk(reader, ref),

    async list(jobNo, fromChunk, limit) {
      const query = selectChunks(reader).where('chunks.job_no', '=', jobNo).where('chunk_no', '>=', fromChunk)
      return (await query.orderBy('chunk_no').limit(limit).execute()).map(chunkOf)
    },

    async listDone(jobNo, afterDoneNo, limit) {
      const query = selectChunks(reader).where('chunks.job_no', '=', jobNo).where('done_no', '>', afterDoneNo)
      return (await query.orderBy('done_no').limit(limit).execute()).map(chunkOf)
    },

    async open(jobNo, tx) {
      const db = tx === undefined ? reader : handle(tx)
      const open = await db
        .selectFrom('chunks')
        .select('chunk_no')
        .where('job_no', '=', jobNo)
        .where(isIdle(db))
        .orderBy('chunk_no')
        .execute()
      return open.map((chunk) => ({ jobNo, chunkNo: chunk.chunk_no }))
    },

    nextReady: (tx, jobNo, limit) => nextReady(handle(tx), jobNo, limit),

    async rewind(tx, jobNo) {
      await handle(tx).updateTable('jobs').set({ queued_to: 0 }).where('job_no', '=', jobNo).execute()
    },

    claim: (ref, owner, died, atMs, to) => claimChunk(database, { ref, owner, died, atMs, to: to ?? 'work' }),

    async release(tx, claim, to) {
      const released = await handle(tx)
        .updateTable('chunks')
        .set({ state: to, owner: null })
        .where('job_no', '=', claim.jobNo)
        .where('chunk_no', '=', claim.chunkNo)
        .where('epoch', '=', claim.epoch)
        .where('state', '=', 'leased')
        .returningAll()
        .executeTakeFirst()
      if (released !== undefined && to === 'parked') await handCountersOver(handle(tx), released, now())
      return released !== undefined
    },

    complete: (tx, claim, atMs) => completeChunk(database, tx, claim, atMs),
    fail: (tx, claim, message, pending, atMs) => failChunk(database, tx, claim, message, pending, atMs),
    cancelOpen: (tx, ref, pending, atMs) => cancelOpenChunk(database, tx, ref, pending, atMs),

    takeBack: (tx, jobNo) => takeBackChunks(database, tx, jobNo, now()),

    async forgiveDeaths(tx, jobNo) {
      await updateCounting(handle(tx), jobNo).set({ deaths: 0 }).where('deaths', '>', 0).execute()
      const parked = handle(tx).updateTable('chunks').where('job_no', '=', jobNo)
      await parked
        .set({ deaths: 0 })
        .where('chunk_no', 'in', parkedChunks(handle(tx), jobNo))
        .where('deaths', '>', 0)
        .execute()
    },
  } satisfies Chunks)
}

async function takeBackChunks(database: StoreDatabase, tx: StoreTx, jobNo: number, atMs: number): Promise<void> {
  await database.lockJob(tx, jobNo, 'exclusive')
  const db = database.handle(tx)
  const taken = await updateCounting(db, jobNo)
    .set({ state: 'ready', owner: null })
    .where('state', '=', 'leased')
    .returning('chunk_no')
    .execute()
  for (const { chunk_no: chunkNo } of taken) await countLost(db, { jobNo, chunkNo }, atMs)
}

async function nextReady(db: Kysely<Database>, jobNo: number, limit: number): Promise<NextChunks> {
  const job = db.updateTable('jobs').where('job_no', '=', jobNo)
  // Changes nothing but locks the row: of two that complete chunks at once, the second goes on behind the first.
  const {
    queued_to: from,
    chunks_total: end,
    priority,
  } = await job
    .set({ queued_to: sql`queued_to` })
    .returning(['queued_to', 'chunks_total', 'priority'])
    .executeTakeFirstOrThrow()
  if (from >= end) return { refs: [], priority }
  const ready = await db
    .selectFrom('chunks')
    .select('chunk_no')
    .where('job_no', '=', jobNo)
    .where('chunk_no', '>=', from)
    .where(isIdle(db))
    .orderBy('chunk_no')
    .limit(limit)
    .execute()
  // Where there are no more, nobody looks for them again: what is not ready now has its message with whoever holds it.
  const last = ready.length < limit ? end - 1 : (ready[limit - 1]?.chunk_no ?? from - 1)
  await job.set({ queued_to: last + 1 }).execute()
  return { refs: ready.map((chunk) => ({ jobNo, chunkNo: chunk.chunk_no })), priority }
}

function updateCounting(db: Kysely<Database>, jobNo: number) {
  const chunks = db.updateTable('chunks').where('job_no', '=', jobNo)
  return chunks.where('chunk_no', 'in', countingChunks(db, jobNo))
}

interface Claiming {
  readonly ref: ChunkRef
  readonly owner: string
  readonly died: boolean
  readonly atMs: number
  readonly to: 'work' | 'settle'
}

async function claimChunk(
  { write, handle, lockJob, clock }: StoreDatabase,
  { ref, owner, died, atMs, to }: Claiming,
): Promise<ClaimedChunk | null> {
  return await write(async (tx) => {
    await lockJob(tx, ref.jobNo, 'shared')
    const db = handle(tx)
    const job = db.selectFrom('jobs').where('job_no', '=', ref.jobNo)
    const workable = job.where('state', 'in', ['queued', 'running']).where('wanted', 'is', null)
    const chunk = db.updateTable('chunks').where('job_no', '=', ref.jobNo).where('chunk_no', '=', ref.chunkNo)
    const { numUpdatedRows } = await chunk
      .set({ state: 'leased', epoch: sql`epoch + 1`, owner, deaths: sql`deaths + ${died ? 1 : 0}` })
      .set({ round: job.select('round'), leased_at_ms: clock() })
      .where('state', 'in', ['ready', 'leased', 'parked'])
      .$if(to === 'work', (update) => update.where(({ exists }) => exists(workable.select('job_no'))))
      .$if(to === 'settle', (update) => update.where(hasResults(db)))
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return null
    await takeCountersBack(db, ref)
    const lost = await countLost(db, ref, atMs)
    if (to === 'work') await changeState(db, ref.jobNo, ['queued'], { to: 'running', atMs })
    const claimed = await readChunk(db, ref)
    const owning = await job.selectAll().executeTakeFirstOrThrow()
    return claimed === null ? null : { chunk: claimed, job: jobOf(owning), lost }
  })
}
