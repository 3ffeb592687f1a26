import type { Amount } from './budget.ts'
import type { ChunkRef } from './chunk.ts'
import type { Failure } from './failure.ts'
import type { ModelTarget, SchemaLevel } from './request.ts'

/**
 * What requests of one batch have in common: they go to one URL of one account, ask one model, and need the same betas. Nothing else may be
 * mixed in a batch. No key is in it.
 */
export interface BatchKind {
  /** Names the kind; equal kinds have equal keys. */
  readonly key: string
  /** Account and model, as the live lane's limits name them. */
  readonly account: string
  /** How to reach the provider; without parameters. */
  readonly target: Omit<ModelTarget, 'params'>
  /** Where each request would have gone by itself. */
  readonly url: string
  /** Headers without which the bodies would be understood otherwise, such as `anthropic-beta`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** How the output schema was put to the model; `null`: there is none. Replies cannot be read without it. */
  readonly schemaLevel: SchemaLevel | null
}

/**
 * Where a part stands: `packed` its requests lie in the blob store, nothing has been sent · `placed` in a shard · `answered` its results lie in the
 * blob store · `void` its shard ended without any result · `closed` all of that is booked.
 */
export type PartState = 'packed' | 'placed' | 'answered' | 'void' | 'closed'

/** Requests of one chunk and one kind. As long as it is neither closed nor back, nobody else may ask its rows. */
export interface BatchPart extends ChunkRef {
  /** 32 hexadecimal digits, from a UUIDv7: every request's id begins with it, so that a result says where it belongs, whatever the provider lost. */
  readonly id: string
  readonly round: number
  readonly kindKey: string
  readonly kind: BatchKind
  readonly state: PartState
  readonly shardId: string | null
  /** Rows asked, each once; ascending. */
  readonly rows: readonly number[]
  /** Of the encoded requests. */
  readonly bytes: number
  /** What the provider will count of the input, as far as it can be known before. */
  readonly inputTokens: number
  /** The most that it can cost. */
  readonly worst: Amount
  /** Blob key of the requests (`request-lines.ts`). */
  readonly requestsKey: string
  /** Where its results lie, once `answered`: whole lines as the provider wrote them. */
  readonly results: { readonly key: string; readonly offset: number; readonly length: number } | null
  /** Why it came back without results, once `void`. */
  readonly failure: Failure | null
  readonly packedAtMs: number
}

/**
 * Where a shard stands:
 * `planned` its parts are chosen; nothing was sent · `submitting` intent: from here on the provider may have it · `submitted` the provider has it ·
 * `ended` the provider is done with it; its results are to be fetched · `collected` every part has its results, or their lack ·
 * `returned` the provider took nothing of it: its parts are packed again, or void ·
 * `unclear` the provider may have it, and several batches there could be it: a person has to say.
 */
export type ShardState = 'planned' | 'submitting' | 'submitted' | 'ended' | 'collected' | 'returned' | 'unclear'

/** What one batch at a provider holds, or shall hold: the unit of submission. Of one tenant, one kind, and one or several jobs. */
export interface BatchShard {
  /** A UUID. It travels as metadata or display name, where the provider has such a thing. */
  readonly id: string
  readonly tenantNo: number
  readonly kind: BatchKind
  readonly state: ShardState
  /** Raised by each change: whoever changes it must have seen its last one. */
  readonly version: number
  readonly requests: number
  readonly bytes: number
  readonly inputTokens: number
  readonly worst: Amount
  /** sha-256 (hex) over its part ids, in the order of sending. */
  readonly hash: string
  /** The provider's name of the uploaded file, or that this one needs none; `null`: none (yet). */
  readonly fileId: string | null
  /** The provider's name of the batch; `null`: not known. */
  readonly batchId: string | null
  /** `batchId` was found by time and size alone: until its results show whose it is nothing is booked from it, and it is not cancelled. */
  readonly guessed: boolean
  /** Batches that could have been this one, and have shown that they are not. */
  readonly notBatchIds: readonly string[]
  /** What the provider last said, in our words; `null`: nothing yet. */
  readonly said: BatchSaid | null
  readonly plannedAtMs: number
  /** When the intent to create it was written; `null`: not yet. */
  readonly intentAtMs: number | null
  /** Who wrote that intent: the worker. */
  readonly submitter: string | null
  readonly submittedAtMs: number | null
  /** When the provider last answered a question about it. */
  readonly heardAtMs: number | null
  /** When it is to be looked at next. */
  readonly nextLookMs: number
  readonly endedAtMs: number | null
  /** Somebody wants it cancelled: since when. */
  readonly cancelWantedMs: number | null
  /** Why it is `returned` or `unclear`, or what went wrong last; for people. */
  readonly note: string | null
}

/** A batch as its provider describes it, in words that are the same for all. */
export interface BatchSaid {
  readonly batchId: string
  readonly phase: 'validating' | 'running' | 'finalizing' | 'cancelling' | 'ended'
  /** How it ended; `null`: it has not. `failed`: not one request was worked on. */
  readonly end: 'completed' | 'expired' | 'cancelled' | 'failed' | null
  readonly total: number | null
  readonly succeeded: number | null
  readonly failed: number | null
  /** Files of results, in order; empty: none (yet), or results are not in files. */
  readonly files: readonly string[]
  /** It has ended, and counts answers whose file it does not name yet. Absent: no. */
  readonly filesDue?: true
  readonly createdAtMs: number | null
  readonly expiresAtMs: number | null
  /** Why it failed as a whole, classified where the provider gave a reason. */
  readonly failure: Failure | null
  /** The provider's queue of this account was full: the same batch may be created again later. */
  readonly queueFull: boolean
}
