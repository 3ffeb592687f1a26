import type { BatchKind, BatchPart, BatchShard } from '../../src/domain/batch.ts'
import type { ChunkClaim, ChunkRef } from '../../src/domain/chunk.ts'
import { failure } from '../../src/domain/failure.ts'
import { sha256 } from '../../src/runtime.ts'
import type { NewPart, PartEnd } from '../../src/store/role/batches.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { claim, nextId, T } from './store-fixture.ts'

/** Requests to one model of one account. */
export function kindOf(model = 'small'): BatchKind {
  return {
    key: `openai/${model}`,
    account: `openai:key-1/${model}`,
    target: { id: `openai/${model}`, baseUrl: null, apiKeyEnv: null },
    url: 'https://api.openai.com/v1/chat/completions',
    headers: { 'x-beta': 'a' },
    schemaLevel: 'schema',
  }
}

/** A part that asks these rows, each of which costs 1,000 nano-dollars and 110 tokens at worst, as `intentOf` does. */
export function newPart({ jobNo, chunkNo }: ChunkRef, rows: readonly number[], more: Partial<NewPart> = {}): NewPart {
  const id = more.id ?? nextId().replaceAll('-', '')
  return {
    id,
    jobNo,
    chunkNo,
    round: 0,
    tenantNo: DEFAULT_TENANT,
    kind: kindOf(),
    rows,
    bytes: 100 * rows.length,
    inputTokens: 40 * rows.length,
    worst: { nano: 1_000 * rows.length, tokens: 110 * rows.length },
    requestsKey: `jobs/x/batch/${id}.requests`,
    packedAtMs: T,
    ...more,
  }
}

/** A shard of these parts, as the batcher plans it. */
export function newShard(
  parts: readonly Pick<BatchPart, 'id' | 'rows' | 'kind'>[],
  more: Partial<BatchShard> = {},
): BatchShard {
  const requests = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  return {
    id: nextId(),
    tenantNo: DEFAULT_TENANT,
    kind: parts[0]?.kind ?? kindOf(),
    state: 'planned',
    version: 0,
    requests,
    bytes: 100 * requests,
    inputTokens: 40 * requests,
    worst: { nano: 1_000 * requests, tokens: 110 * requests },
    hash: sha256(parts.map(({ id }) => id).join()),
    fileId: null,
    batchId: null,
    guessed: false,
    notBatchIds: [],
    said: null,
    plannedAtMs: T,
    intentAtMs: null,
    submitter: null,
    submittedAtMs: null,
    heardAtMs: null,
    nextLookMs: T,
    endedAtMs: null,
    cancelWantedMs: null,
    note: null,
    ...more,
  }
}

/** What a worker does with a chunk whose rows it has packed: one transaction, in the order that everybody keeps. */
export async function park(
  store: Store,
  held: ChunkClaim,
  parts: readonly NewPart[],
  workerId: string | null = null,
): Promise<readonly NewPart[]> {
  const holds = parts.map(({ id, worst }) => ({ partId: id, worst }))
  await store.write(async (tx) => {
    if (!(await store.budgets.hold(tx, held.jobNo, workerId, holds))) throw new Error('no grant')
    if (!(await store.chunks.release(tx, held, 'parked'))) throw new Error('the epoch has passed')
    await store.batches.pack(tx, parts)
  })
  return parts
}

/** Claims a chunk and packs these rows of it as one part. */
export async function packed(
  store: Store,
  ref: ChunkRef,
  rows: readonly number[],
  more: Partial<NewPart> = {},
): Promise<NewPart> {
  const part = newPart(ref, rows, more)
  await park(store, await claim(store, ref.jobNo, ref.chunkNo), [part])
  return part
}

/** Plans a shard of parts that are there to be had. */
export async function planned(store: Store, parts: readonly NewPart[], more: Partial<BatchShard> = {}) {
  const ids = parts.map(({ id }) => id)
  const shard = await store.batches.plan(newShard(parts, more), ids)
  if (shard === null) throw new Error('a part was not to be had')
  return shard
}

/** Results of each part in one object, one after the other. */
export function answered(parts: readonly Pick<BatchPart, 'id'>[]): readonly PartEnd[] {
  return parts.map(({ id }, n) => ({ partId: id, results: { key: 'results', offset: n * 50, length: 50 } }))
}

/** The same without any results. */
export function expired(parts: readonly Pick<BatchPart, 'id'>[]): readonly PartEnd[] {
  return parts.map(({ id }) => ({ partId: id, failure: failure('batch_expired', 'it took too long') }))
}

/** Collects a shard; the chunks that are free by that, `null` where its version had passed. */
export async function collect(store: Store, shard: BatchShard, ends: readonly PartEnd[]) {
  return await store.write((tx) => store.batches.collect(tx, shard, ends))
}
