import { type Kysely, sql } from 'kysely'
import type { BatchShard } from '../domain/batch.ts'
import { batchReading, changedShardValues, newShardValues } from './batch-record.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import type { Batches, ShardChange } from './role/batches.ts'
import type { Database } from './schema.ts'
import { valuesOf } from './sql-values.ts'

/** Shards: what is planned, and what became of it. */
export function shardsRole(database: StoreDatabase) {
  const { reader, write, handle } = database
  return {
    plan: (shard, partIds) => planShard(database, shard, partIds),

    async shards({ states, jobNo }, limit) {
      if (states.length === 0) return []
      let query = selectShards(reader).where('batch_shards.state', 'in', states)
      if (jobNo !== undefined) query = query.where('batch_shards.shard_id', 'in', shardsOfJob(reader, jobNo))
      return await readShards(query.orderBy('next_look_ms').orderBy('shard_id').limit(limit))
    },

    async shard(id) {
      const [shard] = await readShards(selectShards(reader).where('shard_id', '=', id))
      return shard ?? null
    },

    async known(batchIds) {
      const known = new Set<string>()
      for (const some of inStatements(batchIds, 1)) {
        const rows = await reader.selectFrom('batch_shards').select('batch_id').where('batch_id', 'in', some).execute()
        for (const { batch_id: id } of rows) if (id !== null) known.add(id)
      }
      return known
    },

    change: (shard, change) => write((tx) => changeShard(handle(tx), shard, change)),

    giveBack: (shard, change) =>
      write(async (tx) => {
        const returned = await changeShard(handle(tx), shard, { ...change, state: 'returned' })
        if (returned !== null) await packAgain(handle(tx), shard.id)
        return returned
      }),

    wantCancel: (jobNo, atMs) => write((tx) => wantCancel(handle(tx), jobNo, atMs)),

    callBack: (shardIds, atMs) => write((tx) => callBack(handle(tx), shardIds, atMs)),

    async turnarounds(account, limit) {
      const rows = await reader
        .selectFrom('batch_shards')
        .select(['requests', sql<number>`ended_at_ms - submitted_at_ms`.as('ms')])
        .where('account', '=', account)
        .where('ended_at_ms', 'is not', null)
        .where('submitted_at_ms', 'is not', null)
        // What we have cut short says nothing of the provider.
        .where('cancel_wanted_ms', 'is', null)
        .orderBy('ended_at_ms', 'desc')
        .limit(limit)
        .execute()
      return rows.map(({ requests, ms }) => ({ requests, ms: Number(ms) }))
    },
  } satisfies Partial<Batches>
}

/** A query for shards, with what their requests have in common. */
export function selectShards(db: Kysely<Database>) {
  return db
    .selectFrom('batch_shards')
    .innerJoin('batch_kinds', 'batch_kinds.kind_key', 'batch_shards.kind_key')
    .selectAll('batch_shards')
    .select('batch_kinds.kind')
}

/** Runs a query for shards. */
export async function readShards(
  query: Pick<ReturnType<typeof selectShards>, 'execute'>,
): Promise<readonly BatchShard[]> {
  const reading = batchReading()
  return (await query.execute()).map(reading.shard)
}

/** Shards that hold, or held, parts of a job: a subquery. */
export function shardsOfJob(db: Kysely<Database>, jobNo: number) {
  return db
    .selectFrom('batch_parts')
    .select('batch_parts.shard_id')
    .where('batch_parts.job_no', '=', jobNo)
    .where('batch_parts.shard_id', 'is not', null)
}

/** Changes a shard that still has the version that was read; `null`: it has another. */
export async function changeShard(
  db: Kysely<Database>,
  shard: BatchShard,
  change: ShardChange,
): Promise<BatchShard | null> {
  const { numUpdatedRows } = await db
    .updateTable('batch_shards')
    .set({ ...changedShardValues(change), version: shard.version + 1 })
    .where('shard_id', '=', shard.id)
    .where('version', '=', shard.version)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n ? { ...shard, ...change, version: shard.version + 1 } : null
}

/** The parts of a shard that the provider has nothing of wait for another one. */
export async function packAgain(db: Kysely<Database>, shardId: string): Promise<void> {
  await db
    .updateTable('batch_parts')
    .set({ state: 'packed', shard_id: null, place: null })
    .where('shard_id', '=', shardId)
    .where('state', '=', 'placed')
    .execute()
}

/** Somebody else has one of the parts. */
class Taken extends Error {}

async function planShard(
  { write, handle }: StoreDatabase,
  shard: BatchShard,
  partIds: readonly string[],
): Promise<BatchShard | null> {
  try {
    return await write(async (tx) => {
      const db = handle(tx)
      await db.insertInto('batch_shards').values(newShardValues(shard)).execute()
      let placed = 0n
      const places = partIds.map((partId, place) => [partId, place])
      for (const some of inStatements(places, 2)) {
        // Found by their ids alone: through the index of packed parts PostgreSQL would go over all of those for each id.
        const { numAffectedRows } = await sql`
          update batch_parts set state = 'placed', shard_id = ${shard.id}, place = given.column2
          from (${valuesOf(['text', 'bigint'], some)}) as given
          where batch_parts.part_id = given.column1 and coalesce(batch_parts.state, '') = 'packed'`.execute(db)
        placed += numAffectedRows ?? 0n
      }
      if (placed !== BigInt(partIds.length)) throw new Taken()
      return shard
    })
  } catch (error) {
    if (error instanceof Taken) return null
    throw error
  }
}

/** Marks shards that may be with their provider, and are not marked yet. */
function cancelWanted(db: Kysely<Database>, atMs: number) {
  return db
    .updateTable('batch_shards')
    .set({ cancel_wanted_ms: atMs, next_look_ms: atMs, version: sql`version + 1` })
    .where('state', 'in', ['submitting', 'submitted', 'unclear'])
    .where('cancel_wanted_ms', 'is', null)
}

async function callBack(db: Kysely<Database>, shardIds: readonly string[], atMs: number): Promise<void> {
  for (const some of inStatements(shardIds, 1)) await cancelWanted(db, atMs).where('shard_id', 'in', some).execute()
}

async function wantCancel(db: Kysely<Database>, jobNo: number, atMs: number): Promise<number> {
  const ofOthers = db
    .selectFrom('batch_parts as other')
    .select('other.part_id')
    .where('other.shard_id', '=', sql.ref<string>('batch_shards.shard_id'))
    .where('other.job_no', '<>', jobNo)
  const { numUpdatedRows } = await cancelWanted(db, atMs)
    .where('shard_id', 'in', shardsOfJob(db, jobNo))
    .where(({ not, exists }) => not(exists(ofOthers)))
    .executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}
