import type { Blob } from '../blob/blob.ts'
import type { Env } from '../blob/s3-access.ts'
import type { InputFormat, InputSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { findInput } from './find-input.ts'
import type { FoundFile } from './input-file.ts'
import type { Source } from './source.ts'
import { openCsv, openJson } from './text-formats.ts'

const FORMATS: readonly { readonly ending: RegExp; readonly format: Exclude<InputFormat, 'sql'> }[] = [
  { ending: /\.csv$/i, format: 'csv' },
  { ending: /\.(tsv|tab)$/i, format: 'tsv' },
  { ending: /\.(jsonl|ndjson)$/i, format: 'jsonl' },
  { ending: /\.json$/i, format: 'json' },
  { ending: /\.(parquet|pq)$/i, format: 'parquet' },
]

export interface OpenSourceOptions {
  readonly input: InputSpec
  /** The spec's folder: paths are relative to it. */
  readonly baseDir: string
  /** Where object storage and the keys for it are looked up. */
  readonly env: Env
  /** What is read in place of what the input's `source` names. */
  readonly files?: readonly FoundFile[] | undefined
  /** Where the rows of a query are kept while they are read; `null`: they are only looked at. */
  readonly spool: { readonly blob: Blob; readonly key: string } | null
  readonly signal?: AbortSignal | undefined
}

/** Opens the input that a spec names, by its format or the files' names. DuckDB is loaded only for Parquet and SQL. */
export async function openSource({
  input,
  baseDir,
  env,
  files: given,
  spool,
  signal,
}: OpenSourceOptions): Promise<Source> {
  if (input.sql !== null) {
    const { openQuery } = await import('./query-source.ts')
    return openQuery({ sql: input.sql, baseDir, spool, signal })
  }
  const files = given ?? (await findInput(input.source ?? '', baseDir, env))
  const format = input.format ?? formatOf(files)
  if (format === 'parquet') {
    const { openParquet } = await import('./parquet-source.ts')
    return openParquet(files, signal)
  }
  return format === 'csv' || format === 'tsv' ? openCsv(files, input.csv, format) : openJson(files, format)
}

/** The format that all names agree on. */
function formatOf(files: readonly FoundFile[]): Exclude<InputFormat, 'sql'> {
  const found = files.map(({ name }) => {
    const plain = name.replace(/\.gz$/i, '')
    return FORMATS.find(({ ending }) => ending.test(plain))?.format ?? null
  })
  const unknown = files[found.indexOf(null)]
  if (unknown !== undefined) {
    throw new SluiceError('input_invalid', `the name of ${unknown.name} does not say its format`, {
      hint: 'Say input.format: csv, tsv, jsonl, json or parquet.',
    })
  }
  const other = found.findIndex((format) => format !== found[0])
  if (other > 0) {
    throw new SluiceError(
      'input_invalid',
      `${files[0]?.name} is ${found[0]}, and ${files[other]?.name} is ${found[other]}`,
      {
        hint: 'Name files of one format, or say input.format.',
      },
    )
  }
  return found[0] as Exclude<InputFormat, 'sql'>
}
