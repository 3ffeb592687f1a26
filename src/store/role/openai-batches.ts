/** Batches of the OpenAI-compatible routes: each is a job, and what only those routes tell of it. */
export interface OpenAiBatches {
  /** The same id again changes nothing. */
  add(batch: NewOpenAiBatch): Promise<void>
  get(tenantNo: number, id: string): Promise<OpenAiBatch | null>
  /** Of the job that it became; for its end. */
  byJob(jobNo: number): Promise<OpenAiBatch | null>
  /** Newest first; `after` continues behind the batch of that id. */
  list(tenantNo: number, page: { readonly limit: number; readonly after?: string }): Promise<readonly OpenAiBatch[]>
  /** Changes what is given. */
  set(tenantNo: number, id: string, change: Partial<OpenAiBatchChange>): Promise<void>
  /**
   * Batches that have not come to their end and of which there is something to do: whose file is to be checked (they have no job, or one that
   * is not begun), whose job is over, and those whose time ran out before `nowMs` and of which nobody has noted that, or asked for their end. At most `limit`.
   */
  due(nowMs: number, limit: number): Promise<readonly OpenAiBatch[]>
}

export interface NewOpenAiBatch {
  /** `batch_` + UUIDv7. */
  readonly id: string
  readonly tenantNo: number
  /** `null`: its file names no model that is to be had, and can only fail its check. */
  readonly jobNo: number | null
  readonly inputFileId: string
  /** `/v1/chat/completions` or `/v1/responses`. */
  readonly endpoint: string
  readonly completionWindow: string
  /** As its first request names it; `null`: that names none. */
  readonly model: string | null
  /** For how long its files are kept, from when each was made; `null`: until they are deleted. */
  readonly filesKeptMs: number | null
  /** A JSON object of texts; `null`: none. */
  readonly metadata: string | null
  /** A `NoticeTarget` as JSON: who hears of its end; `null`: nobody. */
  readonly notify: string | null
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

export interface OpenAiBatchChange {
  readonly jobNo: number | null
  readonly outputFileId: string | null
  readonly errorFileId: string | null
  /** Errors of the check, as OpenAI's `errors.data`, JSON; `null`: none. */
  readonly errors: string | null
  readonly failedAtMs: number | null
  readonly cancellingAtMs: number | null
  readonly expiredAtMs: number | null
  /** When its files were written. */
  readonly filesAtMs: number | null
}

export interface OpenAiBatch extends NewOpenAiBatch, OpenAiBatchChange {
  readonly jobNo: number | null
}
