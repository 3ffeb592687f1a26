import type { Blob } from '../blob/blob.ts'
import type { Job } from '../domain/job.ts'

/** Where the result tables of a job lie that were made to be downloaded, each under its round: below the job's own folder, with which they go. */
export function exportsFolder({ id }: Pick<Job, 'id'>): string {
  return `jobs/${id}/exports/`
}

/**
 * Removes the tables of rounds before the job's: what they say is not so any more. Whoever is being sent one gets it to its end, or sees that it breaks off. It is done
 * when a round begins, when it ends, and when its first table is made: what a crash leaves goes with the next of these.
 */
export async function removeEarlierExports(
  blob: Pick<Blob, 'list' | 'removeAll'>,
  job: Pick<Job, 'id' | 'round'>,
): Promise<void> {
  const folder = exportsFolder(job)
  const earlier: string[] = []
  for await (const key of blob.list(folder)) {
    if (Number.parseInt(key.slice(folder.length), 10) < job.round) earlier.push(key)
  }
  for (const key of earlier) await blob.removeAll(key)
}
