import type { BatchKind, BatchSaid } from '../domain/batch.ts'
import type { Failure } from '../domain/failure.ts'

/** One request as it lies in the blob store: its id, and the body exactly as the live lane would have sent it, on one line. */
export interface RequestLine {
  /** `^[A-Za-z0-9_-]{1,64}$` */
  readonly id: string
  /** JSON text without a line break. */
  readonly body: string
}

/** The most that one batch may hold at this provider. */
export interface BatchSize {
  readonly requests: number
  /** Of what is uploaded. */
  readonly bytes: number
}

/** A shard as a provider is told of it. */
export interface ShardOffer {
  readonly id: string
  readonly kind: BatchKind
  readonly requests: number
  /** Opens the requests from the first, each time it is called. */
  readonly lines: () => AsyncIterable<RequestLine>
}

/**
 * What became of a question to the provider. `unknown`: it may have been heard, and nobody knows what came of it (time-out, broken connection, a
 * 5xx of unclear origin). `refused`: it was heard, and nothing was done; or it certainly was not heard (`failure.cause` is `connection` then).
 */
export type ApiAnswer<T> =
  | { readonly is: 'said'; readonly value: T }
  | { readonly is: 'refused'; readonly failure: Failure; readonly queueFull: boolean }
  | { readonly is: 'unknown'; readonly failure: Failure }

/** A batch found by listing. */
export interface ListedBatch {
  readonly said: BatchSaid
  /** The shard's id, where the batch carries one. */
  readonly shardId: string | null
}

/** One line of a batch's results, taken apart as far as it goes. */
export interface ResultLine {
  /** Of the request; `null`: the line names none. */
  readonly id: string | null
  readonly result: BatchResult
}

/**
 * What a result says of its request: `reply` what the live API would have answered, status and body as JSON text · `none` it was not answered, and
 * costs nothing · `bad` the line makes no sense.
 */
export type BatchResult =
  | { readonly kind: 'reply'; readonly status: number; readonly body: string; readonly requestId: string | null }
  | { readonly kind: 'none'; readonly failure: Failure }
  | { readonly kind: 'bad'; readonly failure: Failure }

/** A provider's batch API, for one account. It never throws for what a provider does; nothing is retried in here. */
export interface BatchApi {
  readonly size: BatchSize
  /** Bytes that a request adds to an upload beyond its body. */
  readonly lineBytes: number
  /** Requests are uploaded as a file before; else `create` carries them. */
  readonly takesFiles: boolean
  /** The batch carries the shard's id, so that listing finds it for sure. */
  readonly namesShards: boolean
  /**
   * Uploads the requests, streamed. `null`: no files are taken. An upload costs nothing and may be repeated. What it answers is for `create` and `forget`
   * alone: where files are taken, a small batch may do without one.
   */
  upload(offer: ShardOffer, signal: AbortSignal): Promise<ApiAnswer<string | null>>
  /** Creates the batch. This is what must not happen twice. */
  create(offer: ShardOffer, fileId: string | null, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>>
  poll(batchId: string, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>>
  /** Batches that were created since, newest first; a batch that was created before `sinceMs` may be among them. */
  list(sinceMs: number, signal: AbortSignal): Promise<ApiAnswer<readonly ListedBatch[]>>
  cancel(batchId: string, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>>
  /**
   * The result lines of a batch that has ended, as they come, without their line breaks. Throws `ResultsCut` where the stream breaks: whoever reads
   * begins anew.
   */
  results(said: BatchSaid, signal: AbortSignal): AsyncIterable<Buffer>
  /** Takes a line apart. Pure; never throws. */
  readLine(line: Buffer): ResultLine
  /** Removes the uploaded file and, where the provider keeps them apart, nothing else. What fails is not important. */
  forget(fileId: string, signal: AbortSignal): Promise<void>
}

/** A stream of results that broke before its end. */
export class ResultsCut extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(`the results broke off: ${failure.message}`)
    this.name = 'ResultsCut'
    this.failure = failure
  }
}

/** The batch APIs that can be reached. */
export interface BatchApis {
  /** The API for a kind. Throws SluiceError `credentials_missing`; `spec_invalid` where the provider has none. */
  open(kind: Pick<BatchKind, 'target' | 'url' | 'headers'>): BatchApi
}
