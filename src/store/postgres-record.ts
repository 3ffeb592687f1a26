import type { ChunkClaim, ChunkRef } from '../domain/chunk.ts'
import type { Outcome } from '../domain/row.ts'
import { COUNTER_COLUMNS } from './counters.ts'
import type { RowsOfChunk } from './database.ts'
import { createFence } from './fence.ts'
import { rowValues } from './outcome-record.ts'
import { batch, given } from './postgres-batch.ts'
import { bookFacts, bookIntents } from './postgres-booking.ts'
import { CHUNK_KEY, COUNTERS, ROWS } from './postgres-columns.ts'
import type { Session } from './postgres-session.ts'
import type { RecordGroup } from './role/rows.ts'

const COUNTED = [...CHUNK_KEY, ...COUNTERS]

/** All who change a chunk lock it first, and several in this order: nobody waits for one who waits for him. */
const lock = batch(
  'lock',
  CHUNK_KEY,
  `select chunks.job_no, chunks.chunk_no, chunks.state, chunks.epoch, jobs.bucket
   from ${given(CHUNK_KEY)}
   join chunks on chunks.job_no = given.job_no and chunks.chunk_no = given.chunk_no
   join jobs on jobs.job_no = chunks.job_no
   order by chunks.job_no, chunks.chunk_no for no key update of chunks`,
)
const insertRows = batch(
  'rows',
  ROWS,
  `insert into rows (${ROWS.map(([name]) => name).join(', ')}) select * from ${given(ROWS)}`,
)
const count = batch(
  'count',
  COUNTED,
  `update chunks set ${COUNTERS.map(([name]) => `${name} = chunks.${name} + given.${name}`).join(', ')},
     deaths = case when given.succeeded + given.failed + given.skipped + given.cancelled > 0 then 0 else chunks.deaths end
   from ${given(COUNTED)} where chunks.job_no = given.job_no and chunks.chunk_no = given.chunk_no`,
)

interface LockedChunk extends Record<string, unknown> {
  readonly job_no: number
  readonly chunk_no: number
  readonly state: string
  readonly epoch: number
  readonly bucket: number
}

/** Inserts outcomes of one chunk by one statement. */
export async function insertOutcomes(
  session: Session,
  chunk: RowsOfChunk,
  outcomes: readonly Outcome[],
): Promise<void> {
  await insertRows.run(
    session,
    outcomes.map((outcome) => rowValues(chunk, outcome)),
  )
}

/** Locks chunks that are changed by other statements, in the same order. */
export async function lockChunks(session: Session, refs: readonly ChunkRef[]): Promise<void> {
  await lock.run(
    session,
    refs.map((ref) => [ref.jobNo, ref.chunkNo]),
  )
}

/**
 * Writes a group by a handful of statements, however many rows it has: this is what each row pays for. The chunks are locked first, so that no
 * claim changes hands meanwhile. `Rows.record` says what it guarantees.
 */
export async function recordGroup(session: Session, group: RecordGroup): Promise<readonly ChunkClaim[]> {
  const chunks = await lockGroup(session, group)
  const fence = createFence((ref) => {
    const chunk = chunks.get(nameOf(ref))
    return chunk?.state === 'leased' ? chunk.epoch : null
  })
  const intents = group.intents.filter((intent) => fence.holds(intent))
  const facts = group.facts.map((fact) => ({ fact, to: fence.holds(fact.intent) ? 'booked' : 'orphaned' }) as const)
  const outcomes = group.outcomes.filter(({ claim }) => fence.holds(claim))
  const deltas = group.deltas.filter(({ claim }) => fence.holds(claim))
  const placed = outcomes.flatMap((one) => {
    const chunk = chunks.get(nameOf(one.claim))
    return chunk === undefined ? [] : [{ ...one, chunk }]
  })
  await bookIntents(session, intents)
  await insertRows.run(
    session,
    placed.map(({ chunk, outcome }) => rowValues(placeOf(chunk), outcome)),
  )
  await count.run(
    session,
    deltas.map(({ claim, delta }) => [claim.jobNo, claim.chunkNo, ...COUNTER_COLUMNS.map(([key]) => delta[key])]),
  )
  // Last, since it may correct the jobs' rows.
  await bookFacts(session, facts)
  return fence.passed()
}

async function lockGroup(session: Session, group: RecordGroup): Promise<ReadonlyMap<string, LockedChunk>> {
  const refs = new Map<string, readonly unknown[]>()
  const add = (ref: ChunkRef) => void refs.set(nameOf(ref), [ref.jobNo, ref.chunkNo])
  group.intents.forEach(add)
  for (const { intent } of group.facts) add(intent)
  for (const { claim } of group.outcomes) add(claim)
  for (const { claim } of group.deltas) add(claim)
  const locked = await lock.run<LockedChunk>(session, [...refs.values()])
  return new Map(locked.map((chunk) => [nameOf({ jobNo: chunk.job_no, chunkNo: chunk.chunk_no }), chunk]))
}

function placeOf(chunk: LockedChunk): RowsOfChunk {
  return { bucket: chunk.bucket, jobNo: chunk.job_no, chunkNo: chunk.chunk_no }
}

function nameOf({ jobNo, chunkNo }: ChunkRef): string {
  return `${jobNo}/${chunkNo}`
}
