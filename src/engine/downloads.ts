import { createReadStream } from 'node:fs'
import { resultTexts } from '../delivery/export.ts'
import { isTerminal, type Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { createAtOnce } from './at-once.ts'
import { exportsFolder, removeEarlierExports } from './earlier-exports.ts'
import type { FileRange } from './file-desk.ts'
import { assertRowsKept } from './kept-rows.ts'
import { createPassingFiles, type PassingFiles, removeTemporary, writeTemporary } from './passing-files.ts'
import { exportJob, resultsOf } from './results.ts'
import type { Download, DownloadRequest, TransferDeps } from './transfer-desk.ts'

/** Bytes of a file that a reader holds at a time, twice: each read from object storage is a request; those of a passing file cost next to nothing. */
const READ_BYTES = 128 * 1024
const PASSING_BYTES = 32 * 1024

/** Tables that are made at a time. */
const AT_ONCE = 4

/** Files of results, as one process makes and reads them. */
export interface Downloads {
  /** The result table of the job as one file (see TransferDesk.download). */
  open(job: Job, request: DownloadRequest): Promise<Download>
}

/** Creates the downloads of one process: what several ask for at once is made once. */
export function createDownloads(deps: TransferDeps): Downloads {
  const making = new Map<string, Promise<string>>()
  const atOnce = createAtOnce(AT_ONCE)
  const passing = createPassingFiles(atOnce, PASSING_BYTES)

  const made = (job: Job, request: DownloadRequest): Promise<string> => {
    const folder = folderOf(job, request)
    const known = making.get(folder)
    if (known !== undefined) return known
    const coming = atOnce(() => makeOnce(deps, job, request, folder))
      .catch((error: unknown) => tellWhy(deps, job, error))
      .finally(() => making.delete(folder))
    making.set(folder, coming)
    return coming
  }

  return Object.freeze({
    async open(job: Job, request: DownloadRequest): Promise<Download> {
      assertRowsKept(job)
      if (job.input === null) {
        throw new SluiceError(
          'job_state',
          `the input of ${job.id} has not been read in full, so that it has no results yet`,
        )
      }
      const name = nameOf(job, request)
      if (!isTerminal(job.state)) return { kind: 'stream', name, bytes: asItStands(deps, passing, job, request) }
      const key = await made(job, request)
      const bytes = await deps.blob.size(key)
      if (bytes === null) throw runAgain(job)
      const read = ({ from, to }: FileRange = { from: 0, to: bytes }) =>
        deps.blob.stream(key, { from, to, blockBytes: READ_BYTES })
      return {
        kind: 'file',
        name,
        bytes,
        tag: key.slice(folderOf(job, request).length).split('.', 1)[0] as string,
        read,
      }
    },
  })
}

function folderOf(job: Job, { format, only, safeCsv, includeInput }: DownloadRequest): string {
  const options = [only ?? 'all', ...(safeCsv ? ['safe'] : []), ...(includeInput ? [] : ['bare']), format]
  return `${exportsFolder(job)}${options.join('-')}/`
}

function nameOf({ specName, id }: Job, { format, only }: DownloadRequest): string {
  return `${specName.replaceAll(/[^\w.-]+/g, '-')}-${id}${only === undefined ? '' : `-${only}`}.${format}`
}

/**
 * The key of the file, which is made where there is none. Each maker writes under a name of its own, and of several the first by name is the one that
 * counts: the bytes behind a name never change.
 */
async function makeOnce(deps: TransferDeps, job: Job, request: DownloadRequest, folder: string): Promise<string> {
  for await (const key of deps.blob.list(folder)) return key
  const key = `${folder}${deps.runtime.uuid()}.${request.format}`
  const writer = await deps.blob.writer(key)
  try {
    for await (const block of tableOf(deps, job, request)) await writer.write(block)
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.close()
  await removeEarlierExports(deps.blob, job)
  for await (const first of deps.blob.list(folder)) return first
  return key
}

/** A round that has begun meanwhile takes away the table that is being made. */
async function tellWhy({ store }: TransferDeps, job: Job, error: unknown): Promise<never> {
  const now = await store.jobs.getByNo(job.jobNo)
  throw now === null || now.round === job.round ? error : runAgain(job)
}

function runAgain({ id }: Job): SluiceError {
  return new SluiceError('job_state', `${id} was run again meanwhile`)
}

/** The table as it stands when its turn has come: those who wait for theirs meanwhile get the same one. */
function asItStands(
  deps: TransferDeps,
  passing: PassingFiles,
  job: Job,
  request: DownloadRequest,
): AsyncGenerator<Buffer> {
  const options = optionsOf(request)
  return passing.read(
    folderOf(job, request),
    (path, signal) => exportJob(deps, job, { ...options, to: { kind: 'file', path }, signal }),
    request.signal,
  )
}

/** The table of a job that is over, as fast as it can be made. */
async function* tableOf(deps: TransferDeps, job: Job, request: DownloadRequest): AsyncGenerator<Buffer> {
  const options = optionsOf(request)
  if (request.format === 'parquet') {
    const made = writeTemporary((path) => exportJob(deps, job, { ...options, to: { kind: 'file', path } }))
    try {
      return yield* createReadStream(await made, { highWaterMark: READ_BYTES })
    } finally {
      await removeTemporary(made)
    }
  }
  for await (const text of resultTexts(await resultsOf(deps, job), options)) yield Buffer.from(text)
}

function optionsOf({ format, safeCsv, includeInput, only }: DownloadRequest) {
  return { format, safeCsv, includeInput, ...(only && { only }) }
}
