import { resolve } from 'node:path'
import { type ExportSource, exportResults, formatOfPath } from '../delivery/export.ts'
import { jsonLines } from '../delivery/jsonl.ts'
import { resultColumns } from '../delivery/result-columns.ts'
import { rowsOfChunk } from '../delivery/result-table.ts'
import type { Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import type { FollowedRows, FollowRequest, ResultsRequest, ResultsWritten } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { Submission } from './submission.ts'
import { readRows, specOf } from './take-up.ts'
import { standsStill } from './watch.ts'

/** How often a follower looks for chunks that were done. */
const LOOK_MS = 500
const PAGE = 50

async function sourceOf(deps: EngineDeps, job: Job, spec?: Spec): Promise<ExportSource> {
  const known = spec ?? (await specOf(deps, job))
  return {
    job,
    spec: known,
    store: deps.store,
    readRows: (chunk) => readRows(deps, job, known, chunk),
    writeParquet: deps.writeParquet,
  }
}

/** Writes a job's result table (see Engine.results). */
export async function exportJob(deps: EngineDeps, job: Job, request: ResultsRequest): Promise<ResultsWritten> {
  return exportResults(await sourceOf(deps, job), request)
}

/** Writes the results where the spec's `write` says, relative to the spec's folder. */
export async function writeConfigured(deps: EngineDeps, job: Job, spec: Spec): Promise<void> {
  if (spec.write === null) return
  const submission = JSON.parse(await deps.store.jobs.submission(job.jobNo)) as Submission
  const path = resolve(submission.baseDir, spec.write.path)
  const format = formatOfPath(path)
  if (format === null) {
    throw new SluiceError('output_unwritable', `${spec.write.path}: the name says no format that is known`, {
      hint: 'Name a .csv, .jsonl or .parquet file under write.path.',
    })
  }
  await exportResults(await sourceOf(deps, job, spec), {
    to: { kind: 'file', path },
    format,
    includeInput: spec.write.includeInput,
  })
}

/** Result rows as NDJSON, chunk by chunk in the order in which chunks were done (see Engine.follow). */
export async function* followResults(deps: EngineDeps, job: Job, request: FollowRequest): AsyncIterable<FollowedRows> {
  const { store, runtime } = deps
  let doneNo = request.after === null ? 0 : cursorOf(request.after)
  while (!request.signal.aborted) {
    // The state is read first: what was done before it is found below.
    const now = (await store.jobs.getByNo(job.jobNo)) ?? job
    const chunks = now.input === null ? [] : await store.chunks.listDone(job.jobNo, doneNo, PAGE)
    const source = chunks.length === 0 ? null : await sourceOf(deps, now)
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
