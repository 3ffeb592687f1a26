import type { BatchSaid, BatchShard } from '../domain/batch.ts'
import { type BatchApi, type ListedBatch, ResultsCut } from './batch-api.ts'
import type { AskingWork } from './batch-work.ts'
import { readRequestId } from './request-lines.ts'
import type { Candidate } from './which-batch.ts'
import { within } from './within.ts'

/** Result lines that are read to see whose they are. */
const LINES_SEEN = 20

/** Batches of the provider that may be this shard's, each with what proves whose it is. */
export async function candidatesOf(
  { store, runtime, times }: AskingWork,
  api: BatchApi,
  shard: BatchShard,
  listed: readonly ListedBatch[],
  ended: AbortSignal,
): Promise<readonly Candidate[]> {
  if (api.namesShards) {
    return listed.filter(({ shardId }) => shardId === shard.id).map(({ said }) => ({ said, proof: 'ours' }))
  }
  const alike = listed.filter(({ said }) => mayBe(shard, said, times.skewMs)).map(({ said }) => said)
  const known = await store.batches.known(alike.map(({ batchId }) => batchId))
  const partIds = new Set((await store.batches.partsOf(shard.id)).map(({ id }) => id))
  const candidates: Candidate[] = []
  for (const said of alike) {
    if (known.has(said.batchId)) continue
    const bounds = { ms: times.callMs, ended }
    const proof = await within(runtime, bounds, (signal) => proofOf(api, said, partIds, signal))
    candidates.push({ said, proof })
  }
  return candidates
}

function mayBe(shard: BatchShard, { batchId, total, createdAtMs }: BatchSaid, skewMs: number): boolean {
  if (shard.notBatchIds.includes(batchId)) return false
  if (total !== null && total !== shard.requests) return false
  return createdAtMs === null || createdAtMs >= shard.plannedAtMs - skewMs
}

/** A batch that has ended says by the ids in its results whose it is: `partIds` are those of the shard that it may be. */
export async function proofOf(
  api: BatchApi,
  said: BatchSaid,
  partIds: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Candidate['proof']> {
  if (said.phase !== 'ended') return 'none'
  let [seen, foreign] = [0, 0]
  try {
    for await (const line of api.results(said, signal)) {
      const { id } = api.readLine(line)
      if (partIds.has(readRequestId(id ?? '')?.partId ?? '')) return 'ours'
      if (id !== null) foreign += 1
      seen += 1
      if (seen >= LINES_SEEN) break
    }
  } catch (error) {
    if (error instanceof ResultsCut) return 'none'
    throw error
  }
  return foreign > 0 ? 'foreign' : 'none'
}
