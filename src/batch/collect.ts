import type { BatchPart, BatchSaid, BatchShard } from '../domain/batch.ts'
import { type Failure, failure } from '../domain/failure.ts'
import type { PartEnd } from '../store/role/batches.ts'
import { type BatchApi, ResultsCut } from './batch-api.ts'
import { resultsKey } from './batch-files.ts'
import { type BatchWork, changeShard, failureText, giveShardBack, tellTrouble } from './batch-work.ts'
import { createCountedInput } from './counted-input.ts'
import { type Download, withDownload } from './download.ts'
import { askForFiles, awaitsFiles } from './due-files.ts'
import { endParts, voidParts } from './end-parts.ts'
import { forgetFile, openApi } from './open-api.ts'
import { waitBeforeLook } from './poll-interval.ts'
import { noteCounted, noteRefused } from './queue-notes.ts'
import { createResultIndex, type ResultIndex, type ResultTally } from './result-index.ts'
import { within } from './within.ts'

/**
 * Fetches what an ended batch brought, once and for all: the lines go to the local disk, are sorted by their requests, and become one object in the
 * blob store; then every part gets its share of it, or why it has none, in one transaction. Killed at any point, it begins anew. Memory: an index of the
 * lines, and a part's results.
 */
export async function collectShard(work: BatchWork, due: BatchShard, ended: AbortSignal): Promise<void> {
  const { store, runtime } = work
  // The new version names the object: two who collect at once write two of them, and one of them is named by the parts.
  const shard = await changeShard(work, due, { nextLookMs: runtime.now() })
  if (shard === null || shard.said === null) return
  const parts = await store.batches.partsOf(shard.id)
  const api = openApi(work, shard.kind)
  if (!api.ok) return tryLater(work, shard, failureText(api.failure))
  if (shard.said.end === 'failed') return endFailed(work, api.value, shard, shard.said, parts)
  if (awaitsFiles(work, shard)) return askForFiles(work, api.value, shard)
  const fetched = await fetchResults(work, api.value, shard, shard.said, parts, ended)
  if (fetched.is === 'cut') return afterCut(work, shard, parts, fetched.failure)
  if (fetched.is === 'foreign') return letGo(work, shard)
  const note = noteOf(fetched.tally)
  const noted = note === null ? shard : await changeShard(work, shard, { note })
  if (noted === null || !(await endParts(work, noted, parts, fetched.ends))) return
  if (note !== null) tellTrouble(work, noted, note)
  if (shard.fileId !== null) await forgetFile(work, api.value, shard.fileId)
}

type Fetched =
  | { readonly is: 'whole'; readonly ends: readonly PartEnd[]; readonly tally: ResultTally }
  | { readonly is: 'cut'; readonly failure: Failure }
  | { readonly is: 'foreign' }

function fetchResults(
  work: BatchWork,
  api: BatchApi,
  shard: BatchShard,
  said: BatchSaid,
  parts: readonly BatchPart[],
  ended: AbortSignal,
): Promise<Fetched> {
  return withDownload(async (download): Promise<Fetched> => {
    const index = createResultIndex(parts)
    const counted = createCountedInput(parts)
    try {
      const bounds = { ms: work.times.resultsMs, ended }
      await within(work.runtime, bounds, async (signal) => {
        for await (const line of api.results(said, signal)) {
          if (line.length === 0) continue
          const read = api.readLine(line)
          counted.see(read)
          index.add(read, await download.add(line))
        }
      })
    } catch (error) {
      if (error instanceof ResultsCut) return { is: 'cut', failure: error.failure }
      throw error
    }
    const tally = index.tally()
    // Without a single line of ours nothing was paid, if it was ours at all.
    if (shard.guessed && tally.found === 0) return { is: 'foreign' }
    noteCounted(work, shard, counted.share())
    return { is: 'whole', ends: await keep(work, shard, said, parts, index, download), tally }
  })
}

/** Writes the object, and says where in it the lines of each part lie. */
async function keep(
  { blob }: BatchWork,
  shard: BatchShard,
  said: BatchSaid,
  parts: readonly BatchPart[],
  index: ResultIndex,
  download: Download,
): Promise<readonly PartEnd[]> {
  const key = resultsKey(shard)
  const ends: PartEnd[] = []
  const writer = await blob.writer(key)
  let offset = 0
  try {
    for (const { id } of parts) {
      const from = offset
      for await (const block of download.read(index.ofPart(id))) {
        await writer.write(block)
        offset += block.length
      }
      ends.push(
        offset > from
          ? { partId: id, results: { key, offset: from, length: offset - from } }
          : { partId: id, failure: withoutResults(shard, said) },
      )
    }
    for await (const block of download.read(index.rest)) await writer.write(block)
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.close()
  return ends
}

/** Why a part has not one line. */
function withoutResults({ cancelWantedMs }: BatchShard, { end }: BatchSaid): Failure {
  if (end === 'cancelled' && cancelWantedMs !== null) return failure('cancelled', 'the batch was cancelled first')
  if (end === 'cancelled') return failure('batch_expired', 'somebody cancelled the batch at the provider')
  if (end === 'expired') return failure('batch_expired', 'the batch expired first')
  return failure('unknown', 'the results of the batch do not have it')
}

/** Not one request was worked on: another time where the queue was full, else the rows hear why. */
async function endFailed(
  work: BatchWork,
  api: BatchApi,
  shard: BatchShard,
  said: BatchSaid,
  parts: readonly BatchPart[],
): Promise<void> {
  if (shard.guessed) return letGo(work, shard)
  const cause =
    said.failure ?? failure('provider_error', 'the provider failed the batch as a whole and did not say why')
  const note = failureText(cause)
  tellTrouble(work, shard, note)
  if (said.queueFull) {
    await noteRefused(work, shard, cause.message)
    await giveShardBack(work, shard, { note, said })
  } else {
    const noted = await changeShard(work, shard, { note })
    if (noted !== null) await voidParts(work, noted, parts, cause)
  }
  if (shard.fileId !== null) await forgetFile(work, api, shard.fileId)
}

/** The batch that was taken for this shard's is another's: the search for its own goes on, without that one. */
async function letGo(work: BatchWork, shard: BatchShard): Promise<void> {
  const { batchId, notBatchIds } = shard
  const note = `${batchId} has shown that it is not this one`
  tellTrouble(work, shard, note)
  await changeShard(work, shard, {
    state: 'submitting',
    batchId: null,
    guessed: false,
    notBatchIds: [...notBatchIds, ...(batchId === null ? [] : [batchId])],
    said: null,
    submittedAtMs: null,
    endedAtMs: null,
    nextLookMs: work.runtime.now(),
    note,
  })
}

/** Results that have not been there for a day will not come any more. */
async function afterCut(
  work: BatchWork,
  shard: BatchShard,
  parts: readonly BatchPart[],
  cause: Failure,
): Promise<void> {
  const goneMs = work.runtime.now() - (shard.endedAtMs ?? 0)
  const isGone = cause.status === 404 || cause.status === 410
  if (!isGone || goneMs < work.times.goneMs) return tryLater(work, shard, failureText(cause))
  tellTrouble(work, shard, 'its results are gone: its rows are asked again')
  await voidParts(work, shard, parts, failure('unknown', 'the results of the batch are gone at the provider'))
}

async function tryLater(work: BatchWork, shard: BatchShard, note: string): Promise<void> {
  const { runtime, times } = work
  const nowMs = runtime.now()
  const waitMs = waitBeforeLook(nowMs - (shard.endedAtMs ?? nowMs), times.look, runtime.random())
  tellTrouble(work, shard, note)
  await changeShard(work, shard, { nextLookMs: nowMs + waitMs, note })
}

/** What people should know of the lines; `null`: each request has its one line, and there is no other. */
function noteOf({ missing, doubled, foreign, nameless }: ResultTally): string | null {
  const marks = [
    missing > 0 ? `${missing} requests without a result` : null,
    doubled > 0 ? `${doubled} results that came twice` : null,
    foreign > 0 ? `${foreign} results that nobody asked for` : null,
    nameless > 0 ? `${nameless} lines that make no sense` : null,
  ].filter((mark) => mark !== null)
  return marks.length === 0 ? null : marks.join(', ')
}
