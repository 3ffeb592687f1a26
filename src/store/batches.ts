import { type Kysely, sql } from 'kysely'
import type { BatchShard } from '../domain/batch.ts'
import type { ChunkRef } from '../domain/chunk.ts'
import type { Failure } from '../domain/failure.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { countRequests, partsOfChunks, readParts, selectParts } from './batch-parts.ts'
import { changeShard, packAgain, readShards, selectShards, shardsOfJob, shardsRole } from './batch-shards.ts'
import { spentShards } from './batch-spent.ts'
import { packedParts, waitingKinds } from './batch-waiting.ts'
import { idleOf } from './chunk-parts.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import type { Batches, BatchFigures, PartEnd } from './role/batches.ts'
import type { Database } from './schema.ts'
import { valuesOf } from './sql-values.ts'

/**
 * What is out in batches. A part is the intent of its requests; a shard's version is its fence. Locks are taken in this order: shard, chunks, parts,
 * what is held of budgets, job.
 */
export function batchesRole(database: StoreDatabase): Batches {
  const { reader } = database
  return Object.freeze({
    ...partsOfChunks(database),
    ...shardsRole(database),
    waiting: () => waitingKinds(reader),
    packed: (tenantNo, kindKey, limit) => packedParts(reader, tenantNo, kindKey, limit),
    partsOf: (shardId) => readParts(selectParts(reader).where('shard_id', '=', shardId).orderBy('place')),
    collect: (tx, shard, ends) => collectShard(database, tx, shard, ends),
    unpack: (...taken) => unpackParts(database, ...taken),
    withdraw: (tx, jobNo, failure) => withdrawJob(database, tx, jobNo, failure),
    outstanding: (jobNo) => figuresOf(reader, jobNo),
    spent: (which) => spentShards(reader, which),
  } satisfies Batches)
}

async function collectShard(
  database: StoreDatabase,
  tx: StoreTx,
  shard: BatchShard,
  ends: readonly PartEnd[],
): Promise<readonly ChunkRef[] | null> {
  const db = database.handle(tx)
  if ((await changeShard(db, shard, { state: 'collected' })) === null) return null
  const placed = () => db.selectFrom('batch_parts').where('shard_id', '=', shard.id).where('state', '=', 'placed')
  const chunks = await placed().select(['job_no', 'chunk_no']).distinct().execute()
  const refs = chunks.map((chunk): ChunkRef => ({ jobNo: chunk.job_no, chunkNo: chunk.chunk_no }))
  await database.lockChunks(tx, refs)
  for (const some of inStatements(ends, 5)) await endParts(db, shard.id, some)
  const left = await placed().select('part_id').limit(1).executeTakeFirst()
  if (left !== undefined)
    throw new SluiceError('internal', `shard ${shard.id} was to be collected without part ${left.part_id}`)
  return await idleOf(db, refs)
}

/**
 * Each part is found by its id. What is asked of it besides is put so that it is no way to find it: PostgreSQL would go over all `ends` for each part
 * of the shard.
 */
async function endParts(db: Kysely<Database>, shardId: string, ends: readonly PartEnd[]): Promise<void> {
  const rows = ends.map((end) =>
    'results' in end
      ? [end.partId, end.results.key, end.results.offset, end.results.length, null]
      : [end.partId, null, null, null, JSON.stringify(end.failure)],
  )
  await sql`
    update batch_parts
    set state = case when given.column5 is null then 'answered' else 'void' end,
      results_key = given.column2, results_offset = given.column3, results_length = given.column4, failure = given.column5
    from (${valuesOf(['text', 'text', 'bigint', 'bigint', 'text'], rows)}) as given
    where batch_parts.part_id = given.column1 and coalesce(batch_parts.shard_id, '') = ${shardId}
      and coalesce(batch_parts.state, '') = 'placed'
  `.execute(db)
}

async function unpackParts(
  database: StoreDatabase,
  tx: StoreTx,
  jobNo: number,
  requests: number,
  failure: Failure,
): Promise<readonly ChunkRef[]> {
  const db = database.handle(tx)
  const packed = () => db.selectFrom('batch_parts').where('job_no', '=', jobNo).where('state', '=', 'packed')
  // A part holds one request at the least.
  const newest = await packed()
    .select(['part_id', 'chunk_no', 'requests'])
    .orderBy('packed_at_ms', 'desc')
    .orderBy('part_id', 'desc')
    .limit(requests)
    .execute()
  let found = 0
  const taken = newest.filter((part) => {
    const isWanted = found < requests
    found += part.requests
    return isWanted
  })
  const refs = [...new Set(taken.map((part) => part.chunk_no))].map((chunkNo): ChunkRef => ({ jobNo, chunkNo }))
  await database.lockChunks(tx, refs)
  for (const some of inStatements(taken, 1)) {
    await db
      .updateTable('batch_parts')
      .set({ state: 'void', failure: JSON.stringify(failure) })
      .where('state', '=', 'packed')
      .where(
        'part_id',
        'in',
        some.map((part) => part.part_id),
      )
      .execute()
  }
  return await idleOf(db, refs)
}

async function withdrawJob(
  database: StoreDatabase,
  tx: StoreTx,
  jobNo: number,
  failure: Failure,
): Promise<readonly ChunkRef[]> {
  await database.lockJob(tx, jobNo, 'exclusive')
  const db = database.handle(tx)
  const returned = await db
    .updateTable('batch_shards')
    .set({ state: 'returned', note: 'a job of which it held requests was ended', version: sql`version + 1` })
    .where('state', '=', 'planned')
    .where('shard_id', 'in', shardsOfJob(db, jobNo))
    .returning('shard_id')
    .execute()
  for (const { shard_id: shardId } of returned) await packAgain(db, shardId)
  const packed = () => ({ job_no: jobNo, state: 'packed' as const })
  const waiting = await db
    .selectFrom('batch_parts')
    .select('chunk_no')
    .distinct()
    .where((eb) => eb.and(packed()))
    .execute()
  const refs = waiting.map((chunk): ChunkRef => ({ jobNo, chunkNo: chunk.chunk_no }))
  await database.lockChunks(tx, refs)
  await db
    .updateTable('batch_parts')
    .set({ state: 'void', failure: JSON.stringify(failure) })
    .where((eb) => eb.and(packed()))
    .execute()
  return await idleOf(db, refs)
}

async function figuresOf(db: Kysely<Database>, jobNo: number): Promise<BatchFigures> {
  const requests = await countRequests(db, jobNo)
  const open = selectShards(db)
    .where('batch_shards.state', 'not in', ['collected', 'returned'])
    .where('shard_id', 'in', shardsOfJob(db, jobNo))
  const shards = await readShards(open.orderBy('planned_at_ms').orderBy('shard_id'))
  return {
    packed: requests.get('packed') ?? 0,
    placed: requests.get('placed') ?? 0,
    answered: requests.get('answered') ?? 0,
    booked: requests.get('booked') ?? 0,
    shards: shards.map(({ id, state, requests, batchId, submittedAtMs, heardAtMs, cancelWantedMs, note, said }) => {
      return { id, state, requests, batchId, submittedAtMs, heardAtMs, cancelWantedMs, note, said }
    }),
  }
}
