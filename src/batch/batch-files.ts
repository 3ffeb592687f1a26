import type { Blob } from '../blob/blob.ts'
import type { BatchShard } from '../domain/batch.ts'
import type { JobId } from '../domain/job.ts'
import type { Batches, SpentFilter } from '../store/role/batches.ts'

/**
 * What batches keep in the blob store: the requests of each part with its job, and the results of each shard, which may be several jobs', by
 * themselves.
 */

const RESULTS = 'batches/'

function requestsFolder(job: JobId): string {
  return `jobs/${job}/batch/`
}

/** Where the requests of a part lie. */
export function requestsKey(job: JobId, partId: string): string {
  return `${requestsFolder(job)}${partId}.requests`
}

function resultsFolder(shardId: string): string {
  return `${RESULTS}${shardId}/`
}

/** Where the results of a shard lie that were fetched under this version of it. */
export function resultsKey({ id, version }: Pick<BatchShard, 'id' | 'version'>): string {
  return `${resultsFolder(id)}${version}.results`
}

/** Removes what a job has sent by batch. For when all of its rows have outcomes: before, it may have to be sent again. Harmless to repeat. */
export async function removeRequests(blob: Pick<Blob, 'removeAll'>, job: JobId): Promise<void> {
  await blob.removeAll(requestsFolder(job))
}

interface ResultsDeps<B extends keyof Blob> {
  readonly blob: Pick<Blob, B>
  readonly batches: Pick<Batches, 'spent'>
}

/** Removes the results of those shards that nobody needs any more (`Batches.spent`). Harmless to repeat, and to leave off. */
export async function removeSpentResults(
  { blob, batches }: ResultsDeps<'removeAll'>,
  which: SpentFilter,
  ended?: AbortSignal,
): Promise<void> {
  for (const shardId of await batches.spent(which)) {
    if (ended?.aborted) return
    await blob.removeAll(resultsFolder(shardId))
  }
}

/**
 * Removes all results that nobody needs any more and that are still there: whoever should have was killed, or was not the last. Leaves off where `ended`
 * aborts.
 */
export async function removeLeftResults(deps: ResultsDeps<'removeAll' | 'list'>, ended: AbortSignal): Promise<void> {
  const shardIds = new Set<string>()
  for await (const key of deps.blob.list(RESULTS)) {
    if (ended.aborted) return
    shardIds.add(key.slice(RESULTS.length, key.lastIndexOf('/')))
  }
  if (shardIds.size > 0) await removeSpentResults(deps, { shardIds: [...shardIds] }, ended)
}
