import { resolve } from 'node:path'
import { openS3BucketOf } from '../blob/s3-bucket.ts'
import { isS3Url, parseS3Object } from '../blob/s3-url.ts'
import { type ExportRequest, type ExportSource, exportResults, formatOfPath } from '../delivery/export.ts'
import { jsonLines } from '../delivery/jsonl.ts'
import { resultColumns } from '../delivery/result-columns.ts'
import { rowsOfChunk } from '../delivery/result-table.ts'
import type { Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import type { FollowedRows, FollowRequest, ResultsRequest, ResultsWritten } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { EngineDeps } from './engine-deps.ts'
import { readRows, specOf } from './job-parts.ts'
import { assertRowsKept } from './kept-rows.ts'
import { submissionOf } from './submission.ts'
import { standsStill } from './watch.ts'

/** How often a follower looks for chunks that were done. */
const LOOK_MS = 500
const PAGE = 50

/** What results are made with. */
export type ResultsDeps = Pick<EngineDeps, 'store' | 'blob' | 'env' | 'writeParquet'>

/** What results are read from. Throws `job_state` where the rows are not kept any more. */
export async function resultsOf(deps: ResultsDeps, job: Job, spec?: Spec): Promise<ExportSource> {
  assertRowsKept(job)
  const known = spec ?? (await specOf(deps, job))
  return {
    job,
    spec: known,
    store: deps.store,
    readRows: (chunk, part) => readRows(deps, job, known, chunk, part),
    writeParquet: deps.writeParquet,
  }
}

/** Writes a job's result table (see Engine.results). */
export async function exportJob(deps: ResultsDeps, job: Job, request: ResultsRequest): Promise<ResultsWritten> {
  const to = request.to.kind === 'file' ? targetOf(deps, request.to.path) : request.to
  return exportResults(await resultsOf(deps, job), { ...request, to })
}

/** A file, or, where the path is an `s3://` address, an object. */
function targetOf(deps: ResultsDeps, path: string): ExportRequest['to'] {
  if (!isS3Url(path)) return { kind: 'file', path }
  const { bucket, key } = parseS3Object(path, path)
  return { kind: 'object', bucket: openS3BucketOf(bucket, deps.env), key }
}

/** Writes the results where the spec's `write` says, relative to the spec's folder, or in object storage. */
export async function writeConfigured(deps: EngineDeps, job: Job, spec: Spec, signal: AbortSignal): Promise<void> {
  if (spec.write === null) return
  const submission = await submissionOf(deps, job)
  const path = isS3Url(spec.write.path) ? spec.write.path : resolve(submission.baseDir, spec.write.path)
  const format = formatOfPath(path)
  if (format === null) {
    throw new SluiceError('output_unwritable', `${spec.write.path}: the name says no format that is known`, {
      hint: 'Name a .csv, .jsonl or .parquet file under write.path.',
    })
  }
  await exportResults(await resultsOf(deps, job, spec), {
    to: targetOf(deps, path),
    format,
    includeInput: spec.write.includeInput,
    signal,
  })
}

/** Result rows as NDJSON, chunk by chunk in the order in which chunks were done (see Engine.follow). */
export async function* followResults(deps: EngineDeps, job: Job, request: FollowRequest): AsyncIterable<FollowedRows> {
  const { store, runtime } = deps
  assertRowsKept(job)
  let doneNo = request.after === null ? 0 : cursorOf(request.after)
  while (!request.signal.aborted) {
    // The state is read first: what was done before it is found below.
    const now = (await store.jobs.getByNo(job.jobNo)) ?? job
    const chunks = now.input === null ? [] : await store.chunks.listDone(job.jobNo, doneNo, PAGE)
    const source = chunks.length === 0 ? null : await resultsOf(deps, now)
    for (const chunk of chunks) {
      if (source === null || request.signal.aborted) return
      const selection = { only: request.only ?? null, includeInput: true }
      const line = jsonLines(
        resultColumns(source.spec, source.job.input as NonNullable<Job['input']>, true).map((column) => column.name),
      )
      const rows = await rowsOfChunk(source, chunk, selection)
      doneNo = chunk.doneNo as number
      yield { text: rows.map((row) => line(row.values)).join(''), rows: rows.length, cursor: String(doneNo) }
    }
    if (chunks.length === PAGE) continue
    if (standsStill(now)) return
    await runtime.sleep(LOOK_MS, request.signal).catch(() => undefined)
  }
}

function cursorOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new SluiceError('usage', `${JSON.stringify(text)} is no cursor of these results`)
}
