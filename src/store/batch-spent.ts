import { type Kysely, sql } from 'kysely'
import { shardsOfJob } from './batch-shards.ts'
import { inStatements } from './database.ts'
import type { SpentFilter } from './role/batches.ts'
import type { Database } from './schema.ts'

/** Shards whose results nobody needs any more; `Batches.spent` says which those are. */
export async function spentShards(db: Kysely<Database>, which: SpentFilter): Promise<readonly string[]> {
  if ('jobNo' in which)
    return idsOf(await overAndClean(db).where('shard_id', 'in', shardsOfJob(db, which.jobNo)).execute())
  const spent: string[] = []
  for (const some of inStatements(which.shardIds, 1))
    spent.push(...idsOf(await overAndClean(db).where('shard_id', 'in', some).execute()))
  return spent
}

/** What was collected is of use as long as a row of it failed: it may be decoded again, by a version that knows better. */
function overAndClean(db: Kysely<Database>) {
  const inUse = db
    .selectFrom('batch_parts')
    .innerJoin('jobs', 'jobs.job_no', 'batch_parts.job_no')
    .select('batch_parts.job_no')
    .where('batch_parts.shard_id', '=', sql.ref<string>('batch_shards.shard_id'))
    .where((eb) =>
      eb.or([eb('jobs.state', '<>', 'completed'), eb('jobs.failed', '>', 0), eb('jobs.cancelled', '>', 0)]),
    )
  return db
    .selectFrom('batch_shards')
    .select('shard_id')
    .where('batch_shards.state', 'in', ['collected', 'returned'])
    .where(({ not, exists }) => not(exists(inUse)))
}

function idsOf(shards: readonly { readonly shard_id: string }[]): readonly string[] {
  return shards.map((shard) => shard.shard_id)
}
