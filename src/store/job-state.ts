import { type Kysely, type Selectable, sql, type Updateable } from 'kysely'
import { isTerminal, type JobState, mayBecome, TERMINAL_STATES } from '../domain/job.ts'
import { appendEvent } from './events.ts'
import type { JobBegin, NewRound, StateChange } from './role/jobs.ts'
import type { Database, JobsTable } from './schema.ts'

/** States in which a job's time runs. */
const ACTIVE: readonly JobState[] = ['queued', 'running', 'finalizing']

/**
 * Changes the job's state if it stands in one of `from`, is not over, and domain/job.ts allows the change; records a `job.state` event.
 * `false`: it stood elsewhere, and nothing was changed.
 */
export async function changeState(
  db: Kysely<Database>,
  jobNo: number,
  from: readonly JobState[],
  change: StateChange,
): Promise<boolean> {
  for (;;) {
    const job = await db.selectFrom('jobs').selectAll().where('job_no', '=', jobNo).executeTakeFirst()
    if (job === undefined || !from.includes(job.state) || isTerminal(job.state) || !mayBecome(job.state, change.to))
      return false
    if (change.fulfils !== undefined && job.wanted !== change.fulfils) return false
    if (change.closed === true && job.open_chunks > 0) return false
    const { numUpdatedRows } = await db
      .updateTable('jobs')
      .set({
        state: change.to,
        reason: change.reason ?? null,
        detail: change.detail ?? null,
        ...wish(job, change.to),
        ...clock(job, change),
      })
      .where('job_no', '=', jobNo)
      .where('state', '=', job.state)
      .where('wanted', 'is not distinct from', job.wanted)
      .where('event_seq', '=', job.event_seq)
      .where('open_chunks', change.closed === true ? '=' : '>=', 0)
      .executeTakeFirstOrThrow()
    // On PostgreSQL somebody may have changed it since it was read: another state, a wish, a chunk. Then it is looked at anew.
    if (numUpdatedRows === 0n) continue
    await recordChange(db, jobNo, job.state, change)
    return true
  }
}

/**
 * Notes on a job in `created` that its input may be read, what intake needs, and the spec that its first round runs. `false`: it was begun before, or
 * has left `created`; nothing was changed.
 */
export async function beginJob(db: Kysely<Database>, jobNo: number, begin: JobBegin): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ spec_name: begin.specName, spec_hash: begin.specHash, submission: begin.submission })
    .set({ begun_at_ms: begin.atMs })
    .where('job_no', '=', jobNo)
    .where('state', '=', 'created')
    .where('begun_at_ms', 'is', null)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) return false
  await db
    .updateTable('rounds')
    .set({ spec_hash: begin.specHash })
    .where('job_no', '=', jobNo)
    .where('round', '=', 0)
    .execute()
  return true
}

/** Replaces the submission of a job that waits to be begun. `false`: it does not. */
export async function resubmitJob(db: Kysely<Database>, jobNo: number, submission: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ submission })
    .where('job_no', '=', jobNo)
    .where('state', '=', 'created')
    .where('begun_at_ms', 'is', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/** Opens round `round.round` on a job that is over and stands in the round before it: `queued`. `false`: it is not over, in another round, or dropped. */
export async function openRound(db: Kysely<Database>, jobNo: number, round: NewRound): Promise<boolean> {
  const job = await db.selectFrom('jobs').selectAll().where('job_no', '=', jobNo).executeTakeFirst()
  if (job === undefined) return false
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ state: 'queued', round: round.round, spec_hash: round.specHash, active_since_ms: round.atMs, route: null })
    .set({ reason: null, detail: null, ended_at_ms: null, ledger_version: sql`ledger_version + 1` })
    .where('job_no', '=', jobNo)
    .where('state', 'in', TERMINAL_STATES)
    .where('dropped_at_ms', 'is', null)
    .where('round', '=', round.round - 1)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) return false
  await insertRound(db, jobNo, round)
  await recordChange(db, jobNo, job.state, { to: 'queued', atMs: round.atMs })
  return true
}

/** Notes with which spec a round runs, and what was asked for. */
export async function insertRound(db: Kysely<Database>, jobNo: number, round: NewRound): Promise<void> {
  await db
    .insertInto('rounds')
    .values({
      job_no: jobNo,
      round: round.round,
      spec_hash: round.specHash,
      selection: round.selection,
      created_at_ms: round.atMs,
    })
    .execute()
}

async function recordChange(db: Kysely<Database>, jobNo: number, from: JobState, change: StateChange): Promise<void> {
  const data = { from, to: change.to, reason: change.reason ?? null, detail: change.detail ?? null }
  await appendEvent(db, jobNo, 'job.state', data, change.atMs)
}

/** A wish ends when it is fulfilled or void: a pause once the job no longer runs, a cancel only when the job is over. */
function wish(job: Selectable<JobsTable>, to: JobState): Updateable<JobsTable> {
  const ends = isTerminal(to) || (job.wanted === 'pause' && (to === 'paused' || to === 'finalizing'))
  return ends ? { wanted: null, wanted_reason: null, wanted_detail: null } : {}
}

function clock(job: Selectable<JobsTable>, change: StateChange): Updateable<JobsTable> {
  const active = ACTIVE.includes(change.to)
  const stretch = job.active_since_ms === null ? 0 : Math.max(0, change.atMs - job.active_since_ms)
  return {
    started_at_ms: job.started_at_ms ?? (change.to === 'running' ? change.atMs : null),
    ended_at_ms: isTerminal(change.to) ? change.atMs : null,
    active_ms: active ? job.active_ms : job.active_ms + stretch,
    active_since_ms: active ? (job.active_since_ms ?? change.atMs) : null,
  }
}
