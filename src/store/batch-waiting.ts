import { type Kysely, sql } from 'kysely'
import type { BatchKind, BatchPart } from '../domain/batch.ts'
import { readParts, selectParts } from './batch-parts.ts'
import { noneIsOut } from './chunk-parts.ts'
import { inStatements } from './database.ts'
import type { WaitingKind } from './role/batches.ts'
import type { Database } from './schema.ts'

/** Jobs whose parts may be sent, as a condition on a query that has joined `jobs`. */
const GOES_ON = sql<boolean>`jobs.state in ('queued', 'running') and jobs.wanted is null`

/** In which state a part waits; spelled out as in the index over them. */
const PACKED = sql<boolean>`batch_parts.state = 'packed'`

/** What waits for a shard, kind by kind; `Batches.waiting` says what it guarantees. */
export async function waitingKinds(db: Kysely<Database>): Promise<readonly WaitingKind[]> {
  const sums = await db
    .selectFrom('batch_parts')
    .innerJoin('jobs', 'jobs.job_no', 'batch_parts.job_no')
    .select(['batch_parts.tenant_no', 'batch_parts.kind_key', 'batch_parts.job_no'])
    .select((eb) => [
      eb.fn.countAll<number>().as('parts'),
      eb.fn.sum<number>('batch_parts.requests').as('requests'),
      eb.fn.sum<number>('batch_parts.bytes').as('bytes'),
      eb.fn.sum<number>('batch_parts.input_tokens').as('input_tokens'),
      eb.fn.min('batch_parts.packed_at_ms').as('oldest'),
    ])
    .where(PACKED)
    .where(GOES_ON)
    .groupBy(['batch_parts.tenant_no', 'batch_parts.kind_key', 'batch_parts.job_no'])
    .execute()
  if (sums.length === 0) return []
  const kinds = await kindsOf(
    db,
    sums.map((sum) => sum.kind_key),
  )
  const unfinished = await jobsThatPack(
    db,
    sums.map((sum) => sum.job_no),
  )
  const waiting = new Map<string, WaitingKind>()
  for (const sum of sums) {
    const kind = kinds.get(sum.kind_key)
    if (kind === undefined) continue
    const name = JSON.stringify([sum.tenant_no, sum.kind_key])
    const before = waiting.get(name)
    waiting.set(name, {
      tenantNo: sum.tenant_no,
      kind,
      parts: (before?.parts ?? 0) + Number(sum.parts),
      requests: (before?.requests ?? 0) + Number(sum.requests),
      bytes: (before?.bytes ?? 0) + Number(sum.bytes),
      inputTokens: (before?.inputTokens ?? 0) + Number(sum.input_tokens),
      oldestPackedMs: Math.min(before?.oldestPackedMs ?? Number.POSITIVE_INFINITY, sum.oldest),
      moreToCome: (before?.moreToCome ?? false) || unfinished.has(sum.job_no),
    })
  }
  return [...waiting.values()]
}

/** Parts of a kind that wait, oldest first. */
export async function packedParts(
  db: Kysely<Database>,
  tenantNo: number,
  kindKey: string,
  limit: number,
): Promise<readonly BatchPart[]> {
  return await readParts(
    selectParts(db)
      .innerJoin('jobs', 'jobs.job_no', 'batch_parts.job_no')
      .where('batch_parts.tenant_no', '=', tenantNo)
      .where('batch_parts.kind_key', '=', kindKey)
      .where(PACKED)
      .where(GOES_ON)
      .orderBy('batch_parts.packed_at_ms')
      .orderBy('batch_parts.part_id')
      .limit(limit),
  )
}

async function kindsOf(db: Kysely<Database>, keys: readonly string[]): Promise<ReadonlyMap<string, BatchKind>> {
  const rows = await db
    .selectFrom('batch_kinds')
    .selectAll()
    .where('kind_key', 'in', [...new Set(keys)])
    .execute()
  return new Map(rows.map((row) => [row.kind_key, JSON.parse(row.kind) as BatchKind]))
}

/** Those of the jobs that have chunks which are held, or are to be worked on. Most chunks are not looked at: there are indexes over those few. */
async function jobsThatPack(db: Kysely<Database>, jobNos: readonly number[]): Promise<ReadonlySet<number>> {
  const held = await db
    .selectFrom('chunks')
    .select('job_no')
    .distinct()
    .where('counting', '=', sql.lit(1))
    .where('state', '=', 'leased')
    .execute()
  const packing = new Set(held.map((chunk) => chunk.job_no))
  const ready = db
    .selectFrom('chunks')
    .select('chunks.chunk_no')
    .where('chunks.job_no', '=', sql.ref<number>('jobs.job_no'))
    .where('chunks.state', '=', sql.lit('ready' as const))
    .where(noneIsOut(db))
  for (const some of inStatements([...new Set(jobNos)], 1)) {
    const jobs = await db
      .selectFrom('jobs')
      .select('jobs.job_no')
      .where('jobs.job_no', 'in', some)
      .where(({ exists }) => exists(ready))
      .execute()
    for (const job of jobs) packing.add(job.job_no)
  }
  return packing
}
