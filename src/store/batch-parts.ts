import { type Kysely, sql } from 'kysely'
import type { BatchPart } from '../domain/batch.ts'
import type { ChunkRef } from '../domain/chunk.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { batchReading, newPartValues, PART_VALUES } from './batch-record.ts'
import { freeHoldings } from './budget-holdings.ts'
import { isIdle } from './chunk-parts.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import type { Batches, NewPart } from './role/batches.ts'
import type { Database } from './schema.ts'

/** What workers do with parts: pack them, look at them, and close them. */
export function partsOfChunks(database: StoreDatabase) {
  const { reader, handle } = database
  return {
    pack: (tx, parts) => packParts(handle(tx), parts),
    close: (tx, partIds) => closeParts(database, tx, partIds),

    async ofChunk({ jobNo, chunkNo }) {
      const open = selectParts(reader).where('job_no', '=', jobNo).where('chunk_no', '=', chunkNo)
      return await readParts(open.where('state', '<>', 'closed').orderBy('part_id'))
    },

    async toSettle(jobNo, limit) {
      const settled = reader
        .selectFrom('batch_parts')
        .select('batch_parts.chunk_no')
        .where('batch_parts.job_no', '=', jobNo)
      const chunks = await reader
        .selectFrom('chunks')
        .select('chunks.chunk_no')
        .where('chunks.job_no', '=', jobNo)
        .where('chunks.chunk_no', 'in', settled.where('batch_parts.state', 'in', ['answered', 'void']))
        .where(isIdle(reader))
        .orderBy('chunks.chunk_no')
        .limit(limit)
        .execute()
      return chunks.map((chunk): ChunkRef => ({ jobNo, chunkNo: chunk.chunk_no }))
    },
  } satisfies Partial<Batches>
}

/** A query for parts, with what their requests have in common. */
export function selectParts(db: Kysely<Database>) {
  return db
    .selectFrom('batch_parts')
    .innerJoin('batch_kinds', 'batch_kinds.kind_key', 'batch_parts.kind_key')
    .selectAll('batch_parts')
    .select('batch_kinds.kind')
}

type PartsQuery = Pick<ReturnType<typeof selectParts>, 'execute'>

/** Runs a query for parts. */
export async function readParts(query: PartsQuery): Promise<readonly BatchPart[]> {
  const reading = batchReading()
  return (await query.execute()).map(reading.part)
}

async function packParts(db: Kysely<Database>, parts: readonly NewPart[]): Promise<void> {
  if (parts.length === 0) return
  const kinds = new Map(parts.map(({ kind }) => [kind.key, JSON.stringify(kind)]))
  await db
    .insertInto('batch_kinds')
    .values([...kinds].map(([key, kind]) => ({ kind_key: key, kind })))
    .onConflict((conflict) => conflict.column('kind_key').doNothing())
    .execute()
  for (const some of inStatements(parts, PART_VALUES))
    await db.insertInto('batch_parts').values(some.map(newPartValues)).execute()
}

async function closeParts({ handle }: StoreDatabase, tx: StoreTx, partIds: readonly string[]): Promise<void> {
  const db = handle(tx)
  for (const some of inStatements(partIds, 1)) {
    const closed = await db
      .updateTable('batch_parts')
      .set({ state: 'closed' })
      .where('part_id', 'in', some)
      .where('state', 'in', ['answered', 'void'])
      .returning(['job_no', 'part_id'])
      .execute()
    if (closed.length < some.length) await assertNoneIsOut(db, some)
    for (const [jobNo, parts] of Map.groupBy(closed, (part) => part.job_no))
      await freeHoldings(
        db,
        jobNo,
        parts.map((part) => part.part_id),
      )
  }
}

async function assertNoneIsOut(db: Kysely<Database>, partIds: readonly string[]): Promise<void> {
  const out = await db
    .selectFrom('batch_parts')
    .select(['part_id', 'state'])
    .where('part_id', 'in', partIds)
    .where('state', 'in', ['packed', 'placed'])
    .limit(1)
    .executeTakeFirst()
  if (out !== undefined)
    throw new SluiceError('internal', `part ${out.part_id} of a batch was to be closed while it is ${out.state}`)
}

/** The state of a part, those that came back with results told apart. */
const STANDING = sql<string>`case when state = 'closed' and results_key is not null then 'booked' else state end`

/** What of a job is in batches, in requests, by the state of its parts; `booked`: closed with results. */
export async function countRequests(db: Kysely<Database>, jobNo: number): Promise<ReadonlyMap<string, number>> {
  const sums = await db
    .selectFrom('batch_parts')
    .select([STANDING.as('standing'), (eb) => eb.fn.sum<number>('requests').as('requests')])
    .where('job_no', '=', jobNo)
    .groupBy(STANDING)
    .execute()
  return new Map(sums.map(({ standing, requests }) => [standing, Number(requests)]))
}
