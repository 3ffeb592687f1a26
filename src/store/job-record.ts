import type { Selectable } from 'kysely'
import type { InputDescription, Job, JobSettings, JobState } from '../domain/job.ts'
import type { Route } from '../domain/route.ts'
import type { TenantCaps } from '../domain/tenant.ts'
import { countersOf } from './counters.ts'
import type { JobControl } from './role/jobs.ts'
import type { JobsTable } from './schema.ts'

/** States in which a job may wait for its turn. */
const MAY_WAIT: ReadonlySet<JobState> = new Set<JobState>(['queued', 'running'])

/** A row of `jobs` as the domain's job. */
export function jobOf(row: Selectable<JobsTable>): Job {
  return {
    jobNo: row.job_no,
    id: row.id,
    tenantNo: row.tenant_no,
    specName: row.spec_name,
    specHash: row.spec_hash,
    state: row.state,
    reason: row.reason,
    detail: row.detail,
    wanted: row.wanted,
    wantedReason: row.wanted_reason,
    wantedDetail: row.wanted_detail,
    trigger: row.trigger,
    triggerRef: row.trigger_ref,
    jobKey: row.job_key,
    round: row.round,
    rowsTotal: row.rows_total,
    chunksTotal: row.chunks_total,
    openChunks: row.open_chunks,
    counters: countersOf(row),
    settings: settingsOf(row),
    ...(row.route !== null && { route: JSON.parse(row.route) as Route }),
    inputHash: row.input_hash,
    input: row.input === null ? null : (JSON.parse(row.input) as InputDescription),
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms,
    activeMs: row.active_ms,
    activeSinceMs: row.active_since_ms,
    ...(row.begun_at_ms !== null && { begunAtMs: row.begun_at_ms }),
    ...(row.waits !== null && MAY_WAIT.has(row.state) && { waits: true }),
    ...(row.dropped_at_ms !== null && { droppedAtMs: row.dropped_at_ms }),
    version: row.version,
  }
}

/** The columns of `jobs` that a heartbeat reads. */
export const CONTROL_COLUMNS = [
  'job_no',
  'tenant_no',
  'state',
  'wanted',
  'wanted_reason',
  'concurrency',
  'priority',
  'budget_nano',
  'budget_tokens',
  'route',
] as const

type ControlRow = Pick<Selectable<JobsTable>, (typeof CONTROL_COLUMNS)[number]>

/** Those columns as the domain's control. */
export function controlOf(row: ControlRow, caps: TenantCaps): JobControl {
  return {
    jobNo: row.job_no,
    state: row.state,
    wanted: row.wanted,
    wantedReason: row.wanted_reason,
    settings: settingsOf(row),
    caps,
    ...(row.route !== null && { route: JSON.parse(row.route) as Route }),
  }
}

type SettingColumns = 'concurrency' | 'priority' | 'budget_nano' | 'budget_tokens'

function settingsOf(row: Pick<Selectable<JobsTable>, SettingColumns>): JobSettings {
  return {
    concurrency: row.concurrency,
    priority: row.priority,
    budgetNano: row.budget_nano,
    budgetTokens: row.budget_tokens,
  }
}
