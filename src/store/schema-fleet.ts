/** The fleet: a row for each worker, renewed each second. */
export interface WorkersTable {
  worker_id: string
  host: string
  pid: number
  version: string
  job_no: number | null
  chunks: number
  concurrency: number | null
  wanted_concurrency: number | null
  /** By the database's clock, like the times of roles. */
  started_at_ms: number
  seen_at_ms: number
}

/** Who holds which task of the fleet, and until when. */
export interface RolesTable {
  role: string
  worker_id: string
  since_ms: number
  until_ms: number
}
