import { type LookTimes, waitBeforeLook } from './poll-interval.ts'

/** What is known of how much input an account lets wait in its batches at once. It is learned from refusals, and only in this process. */
export interface QueueRoom {
  /** Tokens of input; `Infinity`: no limit was met. */
  readonly limitTokens: number
  /** Since when it has been refused without a break; `null`: it is not. */
  readonly refusedSinceMs: number | null
  /** Nothing is sent before. */
  readonly pausedUntilMs: number
}

/** How much more is tried where a limit was kept to and everything was taken. */
const GROWTH = 1.25

/** Nothing was refused yet. */
export const OPEN_QUEUE: QueueRoom = Object.freeze({
  limitTokens: Number.POSITIVE_INFINITY,
  refusedSinceMs: null,
  pausedUntilMs: 0,
})

/** What was out when the queue refused a shard, and when. */
export interface QueueRefusal {
  /** Tokens of the account's other shards that are out. */
  readonly outTokens: number
  /** Tokens of the refused shard. */
  readonly tokens: number
  /** As the provider said it. */
  readonly message: string
  readonly nowMs: number
  /** In [0, 1). */
  readonly draw: number
}

/**
 * After a refusal: a pause that grows as long as there are only refusals, and a limit. Where the provider names it, that one; else what was out and
 * stood, or, where nothing was, half of what was refused.
 */
export function afterRefusal(room: QueueRoom, refusal: QueueRefusal, times: LookTimes): QueueRoom {
  const { outTokens, tokens, nowMs } = refusal
  const sinceMs = room.refusedSinceMs ?? nowMs
  const named = limitIn(refusal.message)
  // Where it should have fitted, the provider counts more tokens than we do.
  const learned = named !== null && outTokens + tokens > named ? named : outTokens || Math.ceil(tokens / 2)
  return {
    limitTokens: Math.max(1, Math.min(room.limitTokens, learned)),
    refusedSinceMs: sinceMs,
    pausedUntilMs: nowMs + waitBeforeLook(nowMs - sinceMs, times, refusal.draw),
  }
}

/**
 * After a shard of `tokens` was taken, while `outTokens` are out, it included: where another like it would pass the limit, that is felt for again, for
 * it may have been set too low.
 */
export function afterAcceptance(room: QueueRoom, outTokens: number, tokens: number): QueueRoom {
  const isFull = outTokens + tokens > room.limitTokens
  return {
    limitTokens: isFull ? Math.max(outTokens, Math.ceil(room.limitTokens * GROWTH)) : room.limitTokens,
    refusedSinceMs: null,
    pausedUntilMs: 0,
  }
}

/** The limit that OpenAI names: "Enqueued token limit reached for gpt-x in organization org-x. Limit: 90,000 enqueued tokens. …" */
function limitIn(message: string): number | null {
  const match = /limit:\s*([\d,]{1,20})\s*enqueued tokens/i.exec(message)
  const tokens = Number(match?.[1]?.replaceAll(',', ''))
  return match === null || !(tokens > 0) ? null : tokens
}

/** The rooms of the accounts that a batcher uses. */
export interface QueueRooms {
  of(account: string): QueueRoom
  set(account: string, room: QueueRoom): void
}

/** Creates the memory of one batcher: every queue is open. */
export function createQueueRooms(): QueueRooms {
  const rooms = new Map<string, QueueRoom>()
  return Object.freeze({
    of: (account: string) => rooms.get(account) ?? OPEN_QUEUE,
    set: (account: string, room: QueueRoom) => void rooms.set(account, room),
  })
}
