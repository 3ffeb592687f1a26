import type { Blob } from '../blob/blob.ts'
import type { JobId } from '../domain/job.ts'

/** What intake keeps for itself until the manifest is closed. */
function folder(job: JobId): string {
  return `jobs/${job}/intake/`
}

/** Blob key of the keys of one segment's rows. */
export function keyLogKey(job: JobId, segmentNo: number): string {
  return `${folder(job)}keys-${String(segmentNo).padStart(6, '0')}`
}

/** Blob key of a query's result. */
export function spoolKey(job: JobId): string {
  return `${folder(job)}query.ndjson`
}

/** Removes what intake kept for itself. For when the manifest is closed: before, a crash would need it. */
export async function removeIntakeFiles(blob: Blob, job: JobId): Promise<void> {
  await blob.removeAll(folder(job))
}
