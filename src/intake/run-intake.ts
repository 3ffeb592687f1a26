import type { Blob } from '../blob/blob.ts'
import type { Env } from '../blob/s3-access.ts'
import type { InputDescription, Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { type Runtime, sha256 } from '../runtime.ts'
import type { Chunks, NewSegment } from '../store/store.ts'
import { refuseTwins } from './duplicate-keys.ts'
import type { FoundFile } from './input-file.ts'
import { spoolKey } from './intake-files.ts'
import { createKeyLog } from './key-log.ts'
import { createManifest } from './manifest.ts'
import { createRowMaker } from './manifest-row.ts'
import { openSource } from './open-source.ts'
import { keyColumnOf } from './row-key.ts'
import { EMPTY_MANIFEST, type FinishedSegment, type ManifestState } from './segment-draft.ts'
import { createPicker, type Picker, type Selection } from './selection.ts'
import { refuseLarger } from './size-limit.ts'
import { createPiecePool } from './snapshot.ts'
import type { Source, SourceItem } from './source.ts'

export interface IntakeOptions {
  readonly spec: Spec
  /** The spec's folder. */
  readonly baseDir: string
  /** Where object storage and the keys for it are looked up. */
  readonly env: Env
  /** What is read in place of what `input.source` names: files that were uploaded. */
  readonly files?: readonly FoundFile[] | undefined
  /** Bytes that the rows may come to; absent: any number. */
  readonly rowsBytes?: number | undefined
  /** `null`: all rows. */
  readonly selection: Selection | null
  readonly job: Pick<Job, 'id' | 'jobNo' | 'input' | 'inputHash' | 'rowsTotal'>
  readonly blob: Blob
  readonly chunks: Pick<Chunks, 'appendSegment' | 'intakeProgress'>
  readonly runtime: Pick<Runtime, 'elapsed'>
  readonly signal: AbortSignal
  /** Called now and then, at most ten times a second, and at the end. */
  readonly onProgress?: (progress: IntakeProgressReport) => void
}

export interface IntakeProgressReport {
  readonly rows: number
  readonly unreadable: number
  readonly bytesRead: number
  readonly bytesTotal: number | null
}

/** What is known when all of the input is in the snapshot: for `closeManifest`. */
export interface IntakeResult {
  /** Every column of the input, those included that only reading it showed. */
  readonly columns: readonly string[]
  readonly input: InputDescription
  /**
   * One file read whole: its sha-256; several: that of their `sha256sum` list; a query or a part of the input: the hash of the rows taken.
   */
  readonly inputHash: string
  readonly rows: number
}

/** What is kept with each segment. */
interface IntakePosition {
  readonly identity: string
  /** The source's position at the start of a batch, and items of it that are done. */
  readonly batch: string | null
  readonly skip: number
  /** Items of the input before that. */
  readonly ordinal: number
  readonly manifest: ManifestState
  readonly found: readonly string[]
  /** Of the rows so far, in the snapshot; absent: none, or nobody counted. */
  readonly bytes?: number
}

const PROGRESS_MS = 100

/**
 * Reads the job's input once into snapshot and manifest. Each segment is committed with the position behind it, so that a killed intake goes on
 * there; called again on a job whose manifest is closed, it returns what it returned then. The caller closes the manifest, and then removes
 * what intake kept for itself (`removeIntakeFiles`).
 *
 * Throws SluiceError `input_missing`, `input_invalid`, `input_changed` (it is not what the first segments came from), `duplicate_key`,
 * `row_not_found`, `file_too_large`, `storage` (object storage that the input lies in does not answer); StorageFailure where blobs or store cannot be written; the signal's reason when aborted.
 */
export async function runIntake(options: IntakeOptions): Promise<IntakeResult> {
  const { spec, baseDir, env, job, blob, chunks, signal } = options
  const progress = await chunks.intakeProgress(job.jobNo)
  if (progress.done && job.input !== null && job.inputHash !== null) {
    return { columns: job.input.columns, input: job.input, inputHash: job.inputHash, rows: job.rowsTotal }
  }
  const spool = { blob, key: spoolKey(job.id) }
  const source = await openSource({ input: spec.input, baseDir, env, files: options.files, spool, signal })
  const identity = await source.identify()
  const from = progress.position === null ? startOf(identity, spec) : (JSON.parse(progress.position) as IntakePosition)
  if (from.identity !== identity) throw changed(source)
  const keyColumn = keyColumnOf(spec.input.key, source)
  const picker = await createPicker(options.selection, spec.input.limit, source, keyColumn, from.found, signal)
  const reading = await readInput(options, source, keyColumn, picker, from)
  if ((await source.identify()) !== identity) throw changed(source)
  picker.finish()
  if (keyColumn !== null) await refuseTwins(blob, job.id, reading.manifest.segments, source, spec.input.key ?? '')

  const whole = options.selection === null && spec.input.limit === null
  const fileHash = whole ? await source.hash(signal) : null
  return Object.freeze({
    columns: reading.columns,
    rows: reading.manifest.rows,
    inputHash: fileHash ?? sha256(JSON.stringify([reading.columns, reading.manifest.contentHash])),
    input: Object.freeze({
      format: source.format,
      files: source.files.length,
      bytes: source.bytesTotal ?? 0,
      columns: reading.columns,
      notes: [...source.notes, ...source.notesAt(reading.position)],
      unreadable: reading.manifest.unreadable,
    }),
  })
}

function startOf(identity: string, spec: Spec): IntakePosition {
  const manifest = { ...EMPTY_MANIFEST, chunkRows: spec.execution.chunkRows }
  return { identity, batch: null, skip: 0, ordinal: 0, manifest, found: [] }
}

interface Reading {
  readonly columns: readonly string[]
  readonly manifest: ManifestState
  /** The source's, behind the last batch. */
  readonly position: string | null
}

/** Reads from `from` to the end of what is asked for; when it returns, all of it is committed. */
async function readInput(
  options: IntakeOptions,
  source: Source,
  keyColumn: number | null,
  picker: Picker,
  from: IntakePosition,
): Promise<Reading> {
  const { job, blob, chunks, runtime, signal } = options
  let bytesRead = 0
  let { ordinal } = from
  let unreadable = from.manifest.unreadable
  let rows = from.manifest.rows
  let rowsBytes = from.bytes ?? 0
  const manifest = createManifest({
    blob,
    job: job.id,
    keyLog: keyColumn === null ? null : createKeyLog(blob, job.id),
    pieces: createPiecePool(),
    from: from.manifest,
    estimateRows: () => estimateRows(options, source, rows, bytesRead),
    commit(segment) {
      rowsBytes += bytesOf(segment)
      refuseLarger('the rows of the input come to', rowsBytes, options.rowsBytes)
      return chunks.appendSegment(toNewSegment(job.jobNo, segment, { ...from, bytes: rowsBytes }, picker))
    },
  })
  let reported = runtime.elapsed()
  const report = () => options.onProgress?.({ rows, unreadable, bytesRead, bytesTotal: source.bytesTotal })

  const makeRow = createRowMaker(source, keyColumn)
  let [columns, position, skip] = [source.columns, from.batch, from.skip]
  try {
    for await (const batch of source.read(from.batch)) {
      signal.throwIfAborted()
      bytesRead = batch.bytesRead
      for (let at = skip; at < batch.items.length && !picker.isOver(ordinal); at++, ordinal++) {
        const item = batch.items[at] as SourceItem
        if (!picker.takes(ordinal, item)) continue
        const row = makeRow(item, { batch: position, skip: at + 1, ordinal: ordinal + 1 })
        const waiting = manifest.add(row)
        if (waiting !== null) await waiting
        rows += 1
        if (row.unreadable !== null) unreadable += 1
      }
      ;({ columns, position } = batch)
      skip = 0
      if (runtime.elapsed() - reported >= PROGRESS_MS) {
        reported = runtime.elapsed()
        report()
      }
      if (picker.isOver(ordinal)) break
    }
    const state = await manifest.close()
    report()
    return { columns, manifest: state, position }
  } catch (error) {
    await manifest.abort()
    throw error
  }
}

/** How many rows the job will have, by those so far; `null` where nothing tells. */
function estimateRows(
  { selection, spec }: IntakeOptions,
  source: Source,
  rows: number,
  bytesRead: number,
): number | null {
  if (source.bytesTotal === null || bytesRead === 0) return null
  const asked =
    selection === null ? Number.POSITIVE_INFINITY : selection.kind === 'keys' ? selection.keys.length : selection.n
  return Math.min(
    spec.input.limit ?? Number.POSITIVE_INFINITY,
    asked,
    source.rowsTotal ?? (rows * source.bytesTotal) / bytesRead,
  )
}

/** What is kept of a segment: its rows, and what is said of lines that cannot be read. */
function bytesOf({ bytes, unreadable }: FinishedSegment): number {
  return unreadable.reduce((sum, { message, excerpt }) => sum + message.length + excerpt.length, bytes)
}

function toNewSegment(
  jobNo: number,
  segment: FinishedSegment,
  { identity, bytes: rowsBytes = 0 }: Pick<IntakePosition, 'identity' | 'bytes'>,
  picker: Picker,
): NewSegment {
  const { segmentNo, key, bytes, sha256: hash, chunks, unreadable, cursor, state } = segment
  const position: IntakePosition = {
    identity,
    batch: cursor.batch,
    skip: cursor.skip,
    ordinal: cursor.ordinal,
    manifest: state,
    // Each row that was asked for by name is one row of the snapshot.
    found: picker.found().slice(0, state.rows),
    bytes: rowsBytes,
  }
  return { jobNo, segmentNo, key, bytes, sha256: hash, chunks, unreadable, position: JSON.stringify(position) }
}

function changed(source: Source): SluiceError {
  const what =
    source.files.length === 0
      ? 'the input'
      : source.files.length === 1
        ? source.files[0]
        : `one of ${source.files.length} files`
  return new SluiceError(
    'input_changed',
    `${what} changed while it was being read: the rows so far are not from what is there now`,
  )
}
