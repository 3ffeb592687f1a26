import { closeSync, openSync, writeSync } from 'node:fs'
import { nameOf } from './draw.ts'

/** One request as the simulator saw it, and what it charges for it. */
export interface RequestRecord {
  /** Counts from 1, in order of arrival. */
  readonly seq: number
  /** When it arrived, UTC milliseconds. */
  readonly timeMs: number
  /** The client's own id of the attempt (header `x-sluice-attempt`), where it sent one. */
  readonly attempt: string | null
  /** The batch in which it was asked, and its id there; `null`: it came by itself. */
  readonly batch: string | null
  readonly customId: string | null
  readonly model: string
  /** `0`: the connection was reset; in a batch, no status was given. */
  readonly status: number
  /** The fault that struck, or why the request was turned away. */
  readonly fault: string | null
  readonly billed: boolean
  /** It was served as flex; absent: as standard, or not at all. */
  readonly tier?: 'flex'
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly costNano: number
}

/** Takes down one request and the name of its body; `aborted` when the client had gone before the answer was sent (it is billed all the same). */
export type RequestLog = (record: RequestRecord, body: string, aborted: boolean) => void

/** One line of the log's file, as it stands there: NDJSON. */
export interface RequestLogLine {
  readonly seq: number
  readonly time: number
  readonly attempt: string | null
  /** Of requests that came in a batch. */
  readonly batch?: string
  readonly custom_id?: string | null
  /** Of the body. */
  readonly sha256: string
  readonly model: string
  readonly status: number
  readonly fault: string | null
  readonly billed: boolean
  /** Of requests that were served so. */
  readonly tier?: 'flex'
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_write_tokens: number
  readonly output_tokens: number
  readonly cost_nano: number
  readonly aborted: boolean
}

/** A log that appends to a file, and has handed each line to the system before it returns: a line is there before its answer is. */
export function openRequestLog(path: string): { readonly write: RequestLog; close(): void } {
  const file = openSync(path, 'a')
  let isOpen = true
  return Object.freeze({
    write(record: RequestRecord, body: string, aborted: boolean): void {
      // A closed descriptor's number may belong to another file by now.
      if (isOpen) writeSync(file, `${JSON.stringify(lineOf(record, body, aborted))}\n`)
    },
    close(): void {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  })
}

function lineOf(record: RequestRecord, body: string, aborted: boolean): RequestLogLine {
  return {
    seq: record.seq,
    time: record.timeMs,
    attempt: record.attempt,
    ...(record.batch !== null && { batch: record.batch, custom_id: record.customId }),
    sha256: nameOf(body),
    model: record.model,
    status: record.status,
    fault: record.fault,
    billed: record.billed,
    ...(record.tier !== undefined && { tier: record.tier }),
    input_tokens: record.inputTokens,
    cached_tokens: record.cachedTokens,
    cache_write_tokens: record.cacheWriteTokens,
    output_tokens: record.outputTokens,
    cost_nano: record.costNano,
    aborted,
  }
}
