import type { BatchSaid, BatchShard } from '../domain/batch.ts'
import type { Failure } from '../domain/failure.ts'
import { SluiceError } from '../errors.ts'
import type { ShardChange } from '../store/role/batches.ts'
import type { BatchApi } from './batch-api.ts'
import { type AskingWork, changeShard, failureText } from './batch-work.ts'
import { candidatesOf, proofOf } from './candidates.ts'
import { ask, forgetFile } from './open-api.ts'
import { settledAtMs, wasUploading } from './reconcile.ts'
import type { Candidate } from './which-batch.ts'
import { within } from './within.ts'

/** What a person says of a shard: which batch at the provider it is, or that there is none. */
export type ShardVerdict = { readonly is: 'batch'; readonly batchId: string } | { readonly is: 'not-sent' }

/**
 * Believes a person about a shard of which nobody knows what became, as far as the provider does not say otherwise. A batch must be there, be of this
 * shard's size and time, and be no other's; where neither its name nor its results prove that it is this shard's it is only a guess, of which nothing is
 * booked before they do. That nothing was sent is believed as soon as nothing can be on its way any more; then the shard is planned again. Throws
 * `batch_state`, `batch_refuted`, `provider_unanswered`, `credentials_missing`.
 */
export async function settleShard(work: AskingWork, shard: BatchShard, verdict: ShardVerdict): Promise<BatchShard> {
  assertOpen(shard)
  const api = work.apis.open(shard.kind)
  return verdict.is === 'batch' ? takeBatch(work, api, shard, verdict.batchId) : takeBack(work, api, shard)
}

/** Only where the answer to a create is missing can a person know more than the store. */
function assertOpen({ id, state, guessed, batchId }: BatchShard): void {
  if (state === 'submitting' || state === 'unclear' || (state === 'submitted' && guessed)) return
  const why = state === 'planned' ? 'nothing of it was sent yet' : `the provider has it as ${batchId}`
  throw new SluiceError('batch_state', `there is nothing to settle about ${id}: ${why}`)
}

async function takeBatch(work: AskingWork, api: BatchApi, shard: BatchShard, batchId: string): Promise<BatchShard> {
  const { store, runtime } = work
  const said = await lookAt(work, api, batchId)
  if (said === null) throw refuted(`the provider has no batch ${batchId}`)
  const known = await store.batches.known([said.batchId])
  if (known.has(said.batchId) && shard.batchId !== said.batchId) {
    throw refuted(`${said.batchId} is known to be another batch of sluice`)
  }
  assertAlike(work, shard, said)
  const proof = await proofAbout(work, api, shard, said)
  if (proof === 'foreign') throw refuted(`${said.batchId} holds other requests`)
  const nowMs = runtime.now()
  return changeOpen(work, shard, {
    state: 'submitted',
    batchId: said.batchId,
    guessed: proof !== 'ours',
    notBatchIds: shard.notBatchIds.filter((id) => id !== said.batchId),
    said,
    submittedAtMs: said.createdAtMs ?? nowMs,
    heardAtMs: nowMs,
    nextLookMs: nowMs,
    note: proof === 'ours' ? 'found by a person' : 'a person says that it is this one: its results will show it',
  })
}

/** `null`: there is no such batch. */
async function lookAt(work: AskingWork, api: BatchApi, batchId: string): Promise<BatchSaid | null> {
  const asked = await ask(work, (signal) => api.poll(batchId, signal))
  if (asked.is === 'said') return asked.value
  if (asked.failure.status === 404) return null
  throw unanswered(asked.failure)
}

function assertAlike({ times }: AskingWork, shard: BatchShard, { batchId, total, createdAtMs }: BatchSaid): void {
  if (total !== null && total !== shard.requests) {
    throw refuted(`${batchId} holds ${total} requests, and ${shard.id} has ${shard.requests}`)
  }
  if (createdAtMs !== null && createdAtMs < shard.plannedAtMs - times.skewMs) {
    throw refuted(`${batchId} was there before ${shard.id} was planned`)
  }
}

/** Whose it is, by the name that it carries, or else by the ids in its results. */
async function proofAbout(
  work: AskingWork,
  api: BatchApi,
  shard: BatchShard,
  said: BatchSaid,
): Promise<Candidate['proof']> {
  if (api.namesShards) {
    const listed = await ask(work, (signal) => api.list(shard.plannedAtMs - work.times.skewMs, signal))
    const found = listed.is === 'said' ? listed.value.find((other) => other.said.batchId === said.batchId) : undefined
    const name = found?.shardId ?? null
    if (name !== null) return name === shard.id ? 'ours' : 'foreign'
  }
  const partIds = new Set((await work.store.batches.partsOf(shard.id)).map(({ id }) => id))
  return ask(work, (signal) => proofOf(api, said, partIds, signal))
}

async function takeBack(work: AskingWork, api: BatchApi, shard: BatchShard): Promise<BatchShard> {
  const { runtime } = work
  const waitMs = wasUploading(shard, api) ? 0 : settledAtMs(work, shard) - runtime.now()
  if (waitMs > 0) {
    const hint = `Say it again in ${Math.ceil(waitMs / 1000)} s.`
    throw new SluiceError('batch_state', `what sends ${shard.id} may still be on its way`, { hint })
  }
  const candidates = await candidatesNow(work, api, shard)
  const own = candidates.find(({ proof }) => proof === 'ours')
  if (own !== undefined) throw refuted(`the provider has it as ${own.said.batchId}`)
  // First the file: whatever of an old create is still on its way comes to nothing by that.
  if (shard.fileId !== null) await forgetFile(work, api, shard.fileId)
  const struckOff = candidates.map(({ said }) => said.batchId)
  return changeOpen(work, shard, {
    state: 'planned',
    fileId: null,
    batchId: null,
    guessed: false,
    notBatchIds: [...new Set([...shard.notBatchIds, ...struckOff])],
    said: null,
    submittedAtMs: null,
    heardAtMs: null,
    nextLookMs: runtime.now(),
    note: 'a person says that the provider has no batch of it: it is sent again',
  })
}

/**
 * Batches that could be it, the one that it is taken for among them. A provider that does not let its batches be listed leaves a person's word alone to
 * go by.
 */
async function candidatesNow(work: AskingWork, api: BatchApi, shard: BatchShard): Promise<readonly Candidate[]> {
  const guess = shard.batchId === null ? null : await lookAt(work, api, shard.batchId)
  const guesses = guess === null ? [] : [{ said: guess, proof: await proofAbout(work, api, shard, guess) }]
  return [...guesses, ...(await othersNow(work, api, shard))]
}

async function othersNow(work: AskingWork, api: BatchApi, shard: BatchShard): Promise<readonly Candidate[]> {
  const { runtime, times } = work
  const listed = await ask(work, (signal) => api.list(shard.plannedAtMs - times.skewMs, signal))
  if (listed.is === 'said') {
    const bounds = { ms: times.callMs, ended: new AbortController().signal }
    return within(runtime, bounds, (signal) => candidatesOf(work, api, shard, listed.value, signal))
  }
  if (CANNOT_LIST.has(listed.failure.status)) return []
  throw unanswered(listed.failure)
}

/** By these a provider, or a gateway in front of it, says that there is no such list for us. */
const CANNOT_LIST: ReadonlySet<number | null> = new Set([403, 404, 405, 501])

/** Changes the shard, unless it has been sent, or settled, since `seen`. That somebody has looked at it meanwhile does not matter. */
async function changeOpen(work: AskingWork, seen: BatchShard, change: ShardChange): Promise<BatchShard> {
  for (let shard: BatchShard | null = seen; shard !== null; shard = await work.store.batches.shard(seen.id)) {
    assertOpen(shard)
    if (shard.intentAtMs !== seen.intentAtMs || shard.batchId !== seen.batchId) break
    const changed = await changeShard(work, shard, change)
    if (changed !== null) return changed
  }
  throw new SluiceError('batch_state', `${seen.id} has changed meanwhile`)
}

function refuted(message: string): SluiceError {
  return new SluiceError('batch_refuted', message)
}

function unanswered(failure: Failure): SluiceError {
  return new SluiceError('provider_unanswered', failureText(failure))
}
