import type { Blob } from '../blob/blob.ts'
import type { Job } from '../domain/job.ts'

/**
 * Where the result tables of a job's round lie that were made to be downloaded, and what is left of those whose makers were killed: below the job's own
 * folder, with which they go.
 */
export function exportsFolder({ id, round }: Pick<Job, 'id' | 'round'>): string {
  return `jobs/${id}/exports/${round}/`
}

/**
 * Removes the tables of rounds before the job's: what they say is not so any more. Whoever is being sent one gets it to its end, or sees that it breaks off; whoever
 * makes one fails. It is done when a round begins, when it ends, and when its first table is made: what a crash leaves goes with the next of these.
 */
export async function removeEarlierExports(
  blob: Pick<Blob, 'removeAll'>,
  job: Pick<Job, 'id' | 'round'>,
): Promise<void> {
  for (let round = 0; round < job.round; round++) await blob.removeAll(exportsFolder({ id: job.id, round }))
}
