import type { ResultsFormat } from '../delivery/export.ts'
import type { JobId } from '../domain/job.ts'
import type { FoundFile } from '../intake/input-file.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { FileRange } from './file-desk.ts'
import type { ResultsDeps } from './results.ts'

/** What transfers are made with, whosever they are. */
export type TransferDeps = ResultsDeps & Pick<EngineDeps, 'runtime'>

export interface RowsRequest {
  /** The cursor of the last row that was taken; `null`: from the start. */
  readonly after: string | null
  readonly only?: 'ok' | 'failed'
  /** Each line has one more field, `_cursor`: where to go on after it. */
  readonly cursors: boolean
  /** `false`: what is there, and no more. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

export interface EventsRequest {
  /** The id of the last event that was taken; `null`: from the start. */
  readonly after: string | null
  readonly signal: AbortSignal
}

/** Something that happened to a job, as it is told to those who follow it. Holds no contents of rows. */
export interface JobEvent {
  /** Where to go on after it. */
  readonly id: string
  /** `job.state`, `job.settings`, `job.route`, `job.budget`, `job.alert`, `chunk.done`. */
  readonly type: string
  /** JSON, in one line. */
  readonly data: string
}

export interface DownloadRequest {
  readonly format: ResultsFormat
  readonly only?: 'ok' | 'failed'
  readonly safeCsv: boolean
  readonly includeInput: boolean
  /** Aborts when the caller leaves: nobody needs what is made for him alone then. */
  readonly signal: AbortSignal
}

/** The result table of a job as one file. */
export type Download =
  | {
      /** The job is over: the file lies ready, and does not change. */
      readonly kind: 'file'
      readonly name: string
      readonly bytes: number
      /** Names these bytes, and no others ever. */
      readonly tag: string
      read(range?: FileRange): AsyncIterable<Buffer>
    }
  /** The job is not over: the table as it stands when it begins to be read. */
  | { readonly kind: 'stream'; readonly name: string; readonly bytes: AsyncIterable<Buffer> }

/**
 * What goes into a job and comes out of it over the network, of one tenant. All throw `job_not_found`; what is streamed costs the same little memory
 * however slowly it is taken.
 */
export interface TransferDesk {
  /** Whether a file may be the input of the job. Throws `input_invalid`, with all that is wrong. */
  checkInput(id: JobId, file: FoundFile): Promise<void>
  /**
   * Result rows as whole lines of NDJSON as chunks finish, until the job stands still: from after a row, no row twice and none missing. A row whose
   * chunk was retried comes again. Throws `request_invalid` for a cursor that is none, `job_state` where the rows are not kept any more.
   */
  rows(id: JobId, request: RowsRequest): Promise<AsyncIterable<Buffer>>
  /** What happened to the job, and what happens, until it is over; those that are there at once come together, a page at the most. `null`: it is over, and there is nothing after `after`. Throws `request_invalid` for an id that is none. */
  events(id: JobId, request: EventsRequest): Promise<AsyncIterable<readonly JobEvent[]> | null>
  /** The result table in input order. Throws `job_state` while the input is not read in full, or where the rows are not kept any more. */
  download(id: JobId, request: DownloadRequest): Promise<Download>
}
