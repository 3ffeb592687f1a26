import { extname, resolve } from 'node:path'
import { isS3Url, parseS3Object } from '../blob/s3-url.ts'
import type { JobId } from '../domain/job.ts'
import type { Engine, ResultsRequest, ResultsWritten } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { CommandContext } from './context.ts'
import { count, counted } from './figures.ts'

export const RESULT_FORMATS = ['csv', 'jsonl', 'parquet'] as const
export type ResultFormat = (typeof RESULT_FORMATS)[number]

/** A file for results, and what goes into it. */
export interface ResultsTarget {
  /** Absolute, or an `s3://` address. */
  readonly path: string
  /** As the user wrote it. */
  readonly shown: string
  readonly format: ResultFormat
  readonly only?: 'ok' | 'failed'
  readonly safeCsv?: boolean
}

const BY_EXTENSION: Readonly<Record<string, ResultFormat>> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.parquet': 'parquet',
}

/** Where to write: the format as given, else by the file's extension. Throws `usage` when neither says, or for an address of no object, before anything is spent. */
export function resultsTarget(
  cwd: string,
  file: string,
  flags: { readonly format?: ResultFormat; readonly only?: 'ok' | 'failed'; readonly safeCsv?: boolean } = {},
): ResultsTarget {
  if (isS3Url(file)) parseS3Object(file, '-o')
  const format = flags.format ?? BY_EXTENSION[extname(file).toLowerCase()]
  if (format === undefined)
    throw new SluiceError('usage', `What format is ${file}?`, {
      hint: 'Name it .csv, .jsonl or .parquet, or say --format.',
    })
  return {
    path: isS3Url(file) ? file : resolve(cwd, file),
    shown: file,
    format,
    ...(flags.only && { only: flags.only }),
    ...(flags.safeCsv && { safeCsv: true }),
  }
}

/** Writes the results of a job to a file, as they stand. */
export async function writeResults(
  engine: Engine,
  id: JobId,
  target: ResultsTarget,
  signal?: AbortSignal,
): Promise<ResultsWritten> {
  const request: ResultsRequest = {
    to: { kind: 'file', path: target.path },
    format: target.format,
    ...(target.only && { only: target.only }),
    ...(target.safeCsv && { safeCsv: true }),
    ...(signal && { signal }),
  }
  return engine.results(id, request)
}

/** Says what was written: on stderr, and as a line for programs. */
export function sayWritten(context: CommandContext, target: ResultsTarget, written: ResultsWritten): void {
  context.output.say(`Wrote ${target.shown}: ${writtenText(written)}`)
  context.events.line({ type: 'results', path: target.path, format: target.format, ...written })
}

/** `200 rows: 196 ok, 4 failed`. */
export function writtenText({ rows, ok, failed, pending }: ResultsWritten): string {
  const parts = [`${count(ok)} ok`, `${count(failed)} failed`]
  if (pending > 0) parts.push(`${count(pending)} pending`)
  return `${counted(rows, 'row')}: ${parts.join(', ')}`
}
