import type { BatchPart } from '../domain/batch.ts'
import type { WaitingKind } from '../store/role/batches.ts'
import type { BatchSize } from './batch-api.ts'

/** Our own bounds for a shard, below every provider's: its results are sorted in memory by their place, and written down in one transaction. */
export const MOST_REQUESTS = 50_000
export const MOST_PARTS = 2_000
const MOST_BYTES = 256 * 1024 * 1024

/** What one shard may hold. */
export interface ShardBounds {
  readonly requests: number
  /** Of what is uploaded. */
  readonly bytes: number
  /** Bytes that a request adds to an upload beyond its body. */
  readonly lineBytes: number
  /** Room in the account's queue, in tokens of input. */
  readonly tokens: number
  /** Nothing of this account is out: then what is larger than the room is tried all the same, since nothing will ever make more. */
  readonly queueEmpty: boolean
}

/** The parts of a shard. */
export interface ChosenParts {
  readonly parts: readonly BatchPart[]
  /** Another one did not fit. */
  readonly full: boolean
}

type PartSize = Pick<BatchPart, 'rows' | 'bytes' | 'inputTokens'>

/** The bounds of a shard: the provider's, and ours where they are narrower. */
export function shardBounds(
  size: BatchSize,
  lineBytes: number,
  room: Pick<ShardBounds, 'tokens' | 'queueEmpty'>,
): ShardBounds {
  return {
    requests: Math.min(size.requests, MOST_REQUESTS),
    bytes: Math.min(size.bytes, MOST_BYTES),
    lineBytes,
    ...room,
  }
}

/**
 * Chooses the parts of the next shard from those that wait, in their order, up to the first that does not fit. One that does not fit by itself goes
 * alone, for its provider to refuse: it must not hold up the others for ever. But while there is no room in the queue, none goes.
 */
export function chooseParts<P extends PartSize & BatchPart>(waiting: readonly P[], bounds: ShardBounds): ChosenParts {
  let [requests, bytes, tokens] = [0, 0, 0]
  const parts: P[] = []
  for (const part of waiting) {
    requests += part.rows.length
    bytes += part.bytes + part.rows.length * bounds.lineBytes
    tokens += part.inputTokens
    const alone = parts.length === 0
    const fits = requests <= bounds.requests && bytes <= bounds.bytes && parts.length < MOST_PARTS
    const hasRoom = tokens <= bounds.tokens || (alone && bounds.queueEmpty)
    if (!hasRoom || !(fits || alone)) return { parts, full: true }
    parts.push(part)
  }
  return { parts, full: false }
}

/**
 * Whether a shard of these parts is to be sent now: it is full, or nothing more will come, or the oldest has waited for `lingerMs`. Until then a
 * later part may still join.
 */
export function closesNow(
  { parts, full }: ChosenParts,
  { moreToCome, oldestPackedMs }: Pick<WaitingKind, 'moreToCome' | 'oldestPackedMs'>,
  nowMs: number,
  lingerMs: number,
): boolean {
  if (parts.length === 0) return false
  return full || !moreToCome || nowMs - oldestPackedMs >= lingerMs
}

/** Whether so much waits that a shard may be full, or it is to be sent anyway: only then are the parts looked at one by one. */
export function mayClose(waiting: WaitingKind, bounds: ShardBounds, nowMs: number, lingerMs: number): boolean {
  const bytes = waiting.bytes + waiting.requests * bounds.lineBytes
  return (
    !waiting.moreToCome ||
    nowMs - waiting.oldestPackedMs >= lingerMs ||
    waiting.requests >= bounds.requests ||
    bytes >= bounds.bytes ||
    waiting.inputTokens >= bounds.tokens ||
    waiting.parts >= MOST_PARTS
  )
}
