import type { Chunk, RowPart } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { Row } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { readChunk } from '../intake/read-chunk.ts'
import { specFromCanonical } from '../spec/canonical.ts'
import type { EngineDeps } from './engine-deps.ts'
import { createKept } from './kept.ts'

/** The spec version that a job runs with now, as it was submitted. */
export async function specOf(deps: Pick<EngineDeps, 'store'>, job: Job): Promise<Spec> {
  const canonical = await deps.store.specs.get(job.tenantNo, job.specHash)
  if (canonical === null) throw new SluiceError('internal', `spec ${job.specHash} of ${job.id} is not in the store`)
  return specFromCanonical(canonical)
}

/** Specs that are kept for whoever asks next. */
const KEPT_SPECS = 200

/** The spec of a job's round, read once for all jobs that have it. */
export function createKeptSpecs(deps: Pick<EngineDeps, 'store'>): (job: Job) => Promise<Spec> {
  const specs = createKept<Spec>(KEPT_SPECS, () => 1)
  return (job) => specs.get(`${job.tenantNo} ${job.specHash}`, () => specOf(deps, job))
}

/** Names of the input's columns, as intake found them. */
export function columnsOf(job: Job): readonly string[] {
  return job.input?.columns ?? []
}

/** Reads a chunk's rows, or a part of them, back from the snapshot. */
export function readRows(
  deps: Pick<EngineDeps, 'blob'>,
  job: Job,
  spec: Spec,
  chunk: Chunk,
  part?: RowPart,
): Promise<readonly Row[]> {
  const columns = columnsOf(job)
  // A job that ended before its input was read to the end knows no columns.
  const key = spec.input.key === null ? -1 : columns.indexOf(spec.input.key)
  return readChunk(deps.blob, chunk, columns, key < 0 ? null : key, part)
}
