import type { DatabaseSync } from 'node:sqlite'
import type { ChunkClaim } from '../domain/chunk.ts'
import type { Counters } from '../domain/job.ts'
import type { Outcome } from '../domain/row.ts'
import { INTENT_COLUMNS, intentValues } from './attempt-record.ts'
import { COUNTER_COLUMNS } from './counters.ts'
import type { RowsOfChunk } from './database.ts'
import { createFence } from './fence.ts'
import { ROW_COLUMNS, rowValues } from './outcome-record.ts'
import type { RecordGroup } from './role/rows.ts'
import { sqliteBooking } from './sqlite-booking.ts'
import { mapped } from './sqlite-failure.ts'
import { prepareCountOfChunk, prepareInsert } from './sqlite-statement.ts'

/**
 * Writes outcomes and attempts by prepared statements: this is what each row pays for. Both functions must run inside a transaction of the
 * handle, which is what locks the chunks: nobody else can write before it ends.
 */
export interface SqliteRecord {
  insertOutcomes(chunk: RowsOfChunk, outcomes: readonly Outcome[]): void
  /** `Rows.record`; store.ts says what it guarantees. */
  record(group: RecordGroup): readonly ChunkClaim[]
}

/** Prepares the statements on `handle`. */
export function sqliteRecord(handle: DatabaseSync): SqliteRecord {
  const statements = {
    lease: handle.prepare(`select epoch from chunks where job_no = ? and chunk_no = ? and state = 'leased'`),
    job: handle.prepare('select bucket from jobs where job_no = ?'),
    row: prepareInsert(handle, 'rows', ROW_COLUMNS),
    intent: prepareInsert(handle, 'attempts', INTENT_COLUMNS, 'on conflict do nothing'),
    count: prepareCountOfChunk(handle),
  }
  const booking = sqliteBooking(handle)

  const insertOutcomes = (chunk: RowsOfChunk, outcomes: readonly Outcome[]) => {
    for (const outcome of outcomes) statements.row.run(...rowValues(chunk, outcome))
  }
  const count = (claim: ChunkClaim, delta: Counters) => {
    statements.count.run(...COUNTER_COLUMNS.map(([key]) => delta[key]), claim.jobNo, claim.chunkNo)
  }

  function record(group: RecordGroup): readonly ChunkClaim[] {
    const fence = createFence(({ jobNo, chunkNo }) => {
      const row = statements.lease.get(jobNo, chunkNo) as { epoch: number } | undefined
      return row?.epoch ?? null
    })
    const bucketOf = memo((jobNo: number) => (statements.job.get(jobNo) as { bucket: number }).bucket)
    for (const intent of group.intents) if (fence.holds(intent)) statements.intent.run(...intentValues(intent))
    for (const fact of group.facts) {
      if (fence.holds(fact.intent)) booking.book(fact)
      else booking.orphan(fact)
    }
    for (const { claim, outcome } of group.outcomes) {
      if (!fence.holds(claim)) continue
      insertOutcomes({ bucket: bucketOf(claim.jobNo), jobNo: claim.jobNo, chunkNo: claim.chunkNo }, [outcome])
    }
    for (const { claim, delta } of group.deltas) if (fence.holds(claim)) count(claim, delta)
    return fence.passed()
  }

  return Object.freeze({
    insertOutcomes: (chunk: RowsOfChunk, outcomes: readonly Outcome[]) => mapped(() => insertOutcomes(chunk, outcomes)),
    record: (group: RecordGroup) => mapped(() => record(group)),
  })
}

function memo<K, V>(read: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    const value = known.get(key) ?? read(key)
    known.set(key, value)
    return value
  }
}
