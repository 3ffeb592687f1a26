import { type LookTimes, waitBeforeLook } from './poll-interval.ts'

/** What is known of how much input an account lets wait in its batches at once. It is learned from refusals and results, and only in this process. */
export interface QueueRoom {
  /** Tokens of input, by the provider's count; `Infinity`: no limit was met. */
  readonly limitTokens: number
  /** The provider has named that limit itself. */
  readonly named: boolean
  /** Of a token of input by our count, what the provider counts. */
  readonly share: number
  /** Since when it has been refused without a break; `null`: it is not. */
  readonly refusedSinceMs: number | null
  /** Nothing is sent before. */
  readonly pausedUntilMs: number
}

/** How much more is tried where a limit was kept to and everything was taken. */
const GROWTH = 1.25

/** What is added to a share that results have shown: the rows of the next batch are others. */
const PRUDENCE = 1.05
/** No reply is believed that makes us that wrong. */
const [LEAST_SHARE, MOST_SHARE] = [0.05, 5]

/** Nothing was refused yet. */
export const OPEN_QUEUE: QueueRoom = Object.freeze({
  limitTokens: Number.POSITIVE_INFINITY,
  named: false,
  share: 1,
  refusedSinceMs: null,
  pausedUntilMs: 0,
})

/** What was out when the queue refused a shard, and when. */
export interface QueueRefusal {
  /** Tokens of the account's other shards that are out, by our count. */
  readonly outTokens: number
  /** Tokens of the refused shard, by our count. */
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
  const { nowMs } = refusal
  const [outTokens, tokens] = [refusal.outTokens * room.share, refusal.tokens * room.share]
  const sinceMs = room.refusedSinceMs ?? nowMs
  const said = limitIn(refusal.message)
  // Where it should have fitted, the provider counts more tokens than we do.
  const named = said !== null && outTokens + tokens > said
  const learned = named ? said : outTokens || tokens / 2
  return {
    ...room,
    limitTokens: Math.max(1, Math.ceil(Math.min(room.limitTokens, learned))),
    named,
    refusedSinceMs: sinceMs,
    pausedUntilMs: nowMs + waitBeforeLook(nowMs - sinceMs, times, refusal.draw),
  }
}

/**
 * After a shard of `tokens` was taken, while `outTokens` are out, it included (by our count): where another like it would pass a limit that nobody has named,
 * that is felt for again, for it may have been set too low.
 */
export function afterAcceptance(room: QueueRoom, outTokens: number, tokens: number): QueueRoom {
  const isFull = !room.named && (outTokens + tokens) * room.share > room.limitTokens
  return {
    ...room,
    limitTokens: isFull ? Math.ceil(Math.max(outTokens * room.share, room.limitTokens * GROWTH)) : room.limitTokens,
    refusedSinceMs: null,
    pausedUntilMs: 0,
  }
}

/**
 * After results have shown what the provider counts of a token of ours. A little more is reckoned with: what does not fit is refused whole. A limit that was
 * found by our count alone is as large, by that, as it was.
 */
export function afterResults(room: QueueRoom, counted: number): QueueRoom {
  const share = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, counted * PRUDENCE))
  return { ...room, share, limitTokens: room.named ? room.limitTokens : room.limitTokens * (share / room.share) }
}

/** What is left of the room, by our count, where `outTokens` are out; `mostTokens`: what a job wants to have out at the most, by the provider's count. */
export function roomLeft({ limitTokens, share }: QueueRoom, outTokens: number, mostTokens: number | null): number {
  return Math.min(limitTokens, mostTokens ?? limitTokens) / share - outTokens
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
