import type { Job, JobId } from '../domain/job.ts'

/** A spec, as a program gives it. */
export interface CreateRequest {
  /** The document: what a YAML or JSON spec holds. */
  readonly spec: unknown
  readonly trigger: 'http' | 'openai'
  readonly triggerRef: string | null
  readonly jobKey: string | null
  /** `job_` + UUIDv7: the same again makes no second job. */
  readonly id: JobId
  /** Columns that the input must have; `null`: whatever the spec asks for. */
  readonly columnsHint: readonly string[] | null
}

/** A job that was created, or that is there already under its key. */
export interface Created {
  readonly job: Job
  /** It was there before under its key, made by another request. */
  readonly isOther: boolean
  /** The file that is to be uploaded; `null`: its input lies in object storage, or the job takes none any more. */
  readonly fileId: string | null
  readonly notes: readonly string[]
}

/** How a job is started. */
export interface BeginOptions {
  /** Another one than its spec names. */
  readonly model?: string
  /** The plan by which it is to be run: only where that is its latest, and neither model nor a price has changed since; once begun, where it was begun by it. */
  readonly plan?: string
}

/** Jobs whose spec and input come over the network. */
export interface JobDesk {
  /**
   * Creates a job that waits for its input, or finds the one that has its key. Spends nothing. Throws SluiceError `spec_invalid` with all findings, also for what the allowance refuses,
   * `job_key_conflict`, `credentials_missing`.
   */
  create(request: CreateRequest): Promise<Created>
  /** The file of a job's input, `null` where it has none, and the columns that it must have. Throws `job_not_found`. */
  input(id: JobId): Promise<{ readonly fileId: string | null; readonly columnsHint: readonly string[] | null }>
  /**
   * Hands the job over to the workers, who read its input, cut it and go to work: returns at once. Whatever is wrong with the input is seen on the
   * job. Once begun it stays so. Throws `job_not_found`, `job_state` (its input is not there yet), `spec_invalid`, `plan_stale`.
   */
  begin(id: JobId, options: BeginOptions): Promise<Job>
}
