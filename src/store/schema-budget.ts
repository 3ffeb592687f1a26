/** What workers have drawn from the budgets of their jobs and not used yet: a row for each worker and job. */
export interface BudgetGrantsTable {
  job_no: number
  worker_id: string
  /** Drawn, and neither booked nor given back. Below zero counts as nothing: what was used beyond it stands in the counters. */
  left_nano: number
  left_tokens: number
  /** Of ended requests: what nobody knows whether it was billed. */
  doubt_nano: number
  doubt_tokens: number
  /** The UTC day, counted from 1970, that `left_nano` is held against for the tenant. */
  day: number
}

/** What the jobs of a tenant drew for a UTC day, without what they gave back. Only for tenants whose days have a limit. */
export interface TenantDaysTable {
  tenant_no: number
  day: number
  drawn_nano: number
}
