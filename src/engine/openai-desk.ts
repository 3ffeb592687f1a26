import type { ChatKind } from '../domain/chat.ts'
import type { Counters, Job } from '../domain/job.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'
import type { BatchStatus } from './openai-status.ts'

/** The one window that OpenAI offers, and sluice too. */
export const COMPLETION_WINDOW = '24h'

export interface NewBatch {
  /** `batch_` + UUIDv7: the same again makes no second batch. */
  readonly id: string
  readonly inputFileId: string
  readonly kind: ChatKind
  readonly metadata: Readonly<Record<string, string>> | null
  /** For how long its files are kept, from when each was made; `null`: until they are deleted. */
  readonly filesKeptMs: number | null
  /** Who hears of its end, a `NoticeTarget` as JSON; `null`: nobody. */
  readonly notify: string | null
}

/** A batch with what its job tells of it. */
export interface BatchView {
  readonly batch: OpenAiBatch
  readonly status: BatchStatus
  /** `null`: its file is being checked, or did not pass. */
  readonly job: Job | null
  /** As they stand now. */
  readonly counters: Counters
  /** Thoughts among the output; counted when its job is over, and 0 until then. */
  readonly reasoningTokens: number
}

/** Batches as OpenAI knows them, of one tenant. Each becomes a job of its own. */
export interface OpenAiDesk {
  /** Writes the batch down; its file is checked, and its job made, by the workers. Throws SluiceError `input_missing` where there is no such file to be had for a batch. */
  create(batch: NewBatch): Promise<BatchView>
  /** Throws `batch_not_found`. */
  get(id: string): Promise<BatchView>
  /** Newest first; `after` continues behind the batch of that id. */
  list(page: { readonly limit: number; readonly after?: string }): Promise<readonly BatchView[]>
  /** Asks for its end: what is answered by then is delivered. Again: nothing more. Throws `batch_not_found`, `batch_state` where it has come to its end already. */
  cancel(id: string): Promise<BatchView>
}
