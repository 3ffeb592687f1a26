import { budgetEvent } from '../delivery/budget-text.ts'
import { deadlineEvent, ranged, routeEvent } from '../delivery/route-json.ts'
import { costUsd, rowTotals, tokenTotals, WAITS_FOR_TENANT } from '../domain/job.ts'
import type { JobStatus, OpenBatch } from '../engine.ts'

type Batches = NonNullable<JobStatus['batches']>
type Shard = Batches['shards'][number]

/** One job as all JSON tells of it, but for what its id is called; money in dollars, time in seconds, moments in ISO 8601. */
export function jobFields(status: JobStatus, nowMs: number) {
  const { job, counters } = status
  return {
    spec: job.specName,
    spec_hash: job.specHash,
    model: status.model,
    state: job.state,
    reason: job.reason,
    detail: job.waits ? WAITS_FOR_TENANT : job.detail,
    wanted: job.wanted,
    round: job.round,
    job_key: job.jobKey,
    trigger_ref: job.triggerRef,
    rows: rowTotals(job.rowsTotal, counters),
    rows_done: status.rowsDone,
    attempts: counters.attempts,
    tokens: tokenTotals(counters),
    cost_usd: costUsd(counters),
    created_at: new Date(job.createdAtMs).toISOString(),
    ended_at: moment(job.endedAtMs),
    elapsed_s: Math.round(status.elapsedMs) / 1000,
    budget: budgetEvent(status.budget),
    ...laneFields(status, nowMs),
    batches: batchesFields(status.batches),
  }
}

/** What was chosen for a job and why, and how it stands to its deadline. */
export function laneFields(
  { job, lane, deadlineAtMs, turnarounds }: Pick<JobStatus, 'job' | 'lane' | 'deadlineAtMs' | 'turnarounds'>,
  nowMs: number,
) {
  return {
    lane,
    route: routeEvent(job.route),
    deadline: deadlineEvent(deadlineAtMs, job, nowMs),
    turnarounds:
      turnarounds === null
        ? null
        : { batches: turnarounds.batches, ...ranged(turnarounds.ms, (ms) => Math.round(ms) / 1000) },
  }
}

/** What of a job is in batches; `null`: nothing goes by batch. */
export function batchesFields(batches: JobStatus['batches']): object | null {
  if (batches === null) return null
  const { packed, placed, answered, shards } = batches
  return { packed, placed, answered, shards: shards.map(shardFields) }
}

/** A batch that is not brought back yet. */
export function batchFields(batch: OpenBatch) {
  const { jobs, guessed, plannedAtMs } = batch
  return { jobs, ...shardFields(batch), guessed, planned_at: moment(plannedAtMs) }
}

function shardFields(shard: Shard) {
  return {
    shard: shard.id,
    state: shard.state,
    batch: shard.batchId,
    requests: shard.requests,
    phase: shard.said?.phase ?? null,
    succeeded: shard.said?.succeeded ?? null,
    failed: shard.said?.failed ?? null,
    submitted_at: moment(shard.submittedAtMs),
    heard_at: moment(shard.heardAtMs),
    cancel_wanted: shard.cancelWantedMs !== null,
    note: shard.note,
  }
}

function moment(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
