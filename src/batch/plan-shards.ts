import type { BatchPart, BatchShard } from '../domain/batch.ts'
import { NOTHING, plus } from '../domain/budget.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { sha256 } from '../runtime.ts'
import type { WaitingKind } from '../store/role/batches.ts'
import type { BatchApi } from './batch-api.ts'
import { type BatchWork, shardEvent } from './batch-work.ts'
import { openApi } from './open-api.ts'
import { roomLeft } from './queue-room.ts'
import { type ChosenParts, chooseParts, closesNow, MOST_PARTS, mayClose, shardBounds } from './shard-plan.ts'

/** Shards that are out, looked at for what they take of a queue. */
const MOST_OUT = 10_000

/**
 * Chooses parts that wait for new shards: of each kind one at the most, the next with the next turn. Stops where `ended` aborts.
 */
export async function planShards(work: BatchWork, ended: AbortSignal): Promise<void> {
  const { store, runtime, rooms } = work
  const waiting = await store.batches.waiting()
  if (waiting.length === 0) return
  const out = await tokensOut(work)
  for (const kind of waiting) {
    if (ended.aborted) break
    const { account } = kind.kind
    if (runtime.now() < rooms.of(account).pausedUntilMs) continue
    await planShard(work, kind, out.get(account) ?? 0).catch((error: unknown) => {
      if (error instanceof StorageFailure) throw error
      const message = error instanceof Error ? error.message : String(error)
      work.events.emit('batch.trouble', { shardId: null, account, message })
    })
  }
}

/** Tokens of input that are, or may soon be, in the queue of each account; without those of one shard. */
export async function tokensOut({ store }: BatchWork, except: string | null = null): Promise<Map<string, number>> {
  const states = ['planned', 'submitting', 'submitted', 'unclear'] as const
  const out = new Map<string, number>()
  for (const { id, kind, inputTokens } of await store.batches.shards({ states }, MOST_OUT)) {
    if (id === except) continue
    out.set(kind.account, (out.get(kind.account) ?? 0) + inputTokens)
  }
  return out
}

async function planShard(work: BatchWork, waiting: WaitingKind, outTokens: number): Promise<void> {
  const { store, runtime, events, rooms, policies, times } = work
  const { tenantNo, kind } = waiting
  const kindKey = `${tenantNo} ${kind.key}`
  const api = openApi(work, kind)
  const queue = rooms.of(kind.account)
  const room = (most: number | null) => ({
    tokens: roomLeft(queue, outTokens, most),
    queueEmpty: outTokens === 0,
  })
  const bounds = shardBounds(api.ok ? api.value.size : ANY_SIZE, api.ok ? api.value.lineBytes : 0, room(null))
  const last = policies.lastOf(kindKey)
  const soonest = { ...bounds, requests: Math.min(bounds.requests, last?.requests ?? bounds.requests) }
  if (last !== null && !mayClose(waiting, soonest, runtime.now(), times.lingerMs)) return
  const parts = await store.batches.packed(tenantNo, kind.key, MOST_PARTS + 1)
  const policy = await policies.ofKind(kindKey, parts)
  const chosen = chooseParts(parts, {
    ...bounds,
    requests: Math.min(bounds.requests, policy.requests ?? bounds.requests),
    ...room(policy.queueTokens),
  })
  if (!closesNow(chosen, waiting, runtime.now(), times.lingerMs)) return
  const shard = newShard(work, waiting, chosen)
  const planned = await store.batches.plan(
    shard,
    chosen.parts.map(({ id }) => id),
  )
  if (planned !== null) events.emit('batch.shard', shardEvent(planned))
}

/** Where the provider cannot be reached at all its bounds do not matter: who submits will say why. */
const ANY_SIZE: BatchApi['size'] = { requests: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

function newShard({ runtime }: BatchWork, { tenantNo, kind }: WaitingKind, { parts }: ChosenParts): BatchShard {
  const sum = (of: (part: BatchPart) => number) => parts.reduce((total, part) => total + of(part), 0)
  const nowMs = runtime.now()
  return {
    id: runtime.uuid(),
    tenantNo,
    kind,
    state: 'planned',
    version: 0,
    requests: sum(({ rows }) => rows.length),
    bytes: sum(({ bytes }) => bytes),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    worst: parts.reduce((total, { worst }) => plus(total, worst), NOTHING),
    hash: sha256(parts.map(({ id }) => id).join('\n')),
    fileId: null,
    batchId: null,
    guessed: false,
    notBatchIds: [],
    said: null,
    plannedAtMs: nowMs,
    intentAtMs: null,
    submitter: null,
    submittedAtMs: null,
    heardAtMs: null,
    nextLookMs: nowMs,
    endedAtMs: null,
    cancelWantedMs: null,
    note: null,
  }
}
