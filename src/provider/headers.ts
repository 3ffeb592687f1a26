import type { LimitSignal, LimitWindow } from '../domain/limit-signal.ts'
import type { Quota } from './problem.ts'
import { parseMoment, parseSeconds, retryAfterIn } from './retry-after.ts'
import { isSuccess, type WireReply } from './wire.ts'

type Headers = Readonly<Record<string, string>>

/** The headers that tell of one limit. */
interface WindowNames {
  readonly limit: string
  readonly remaining: string
  readonly reset: string | null
  /** Over which time the limit counts: fixed, in a header (as seconds), or told from how fast it refills. */
  readonly window: number | { readonly header: string } | 'by refill'
}

/** Which headers a provider sends. For each kind of limit the first whose headers are there counts. */
export interface HeaderTable {
  readonly requests: readonly WindowNames[]
  readonly tokens: readonly WindowNames[]
  readonly inputTokens: readonly WindowNames[]
  readonly outputTokens: readonly WindowNames[]
}

/** What the body of a refusal tells of limits. */
export interface BodyLimits {
  readonly bodyWaitMs: number | null
  readonly quota: Quota | null
}

export const NOTHING_TOLD: BodyLimits = Object.freeze({ bodyWaitMs: null, quota: null })

const MINUTE = 60_000
const DAY = 86_400_000

function xRatelimit(kind: string, window: WindowNames['window']): WindowNames {
  return {
    limit: `x-ratelimit-limit-${kind}`,
    remaining: `x-ratelimit-remaining-${kind}`,
    reset: `x-ratelimit-reset-${kind}`,
    window,
  }
}

function anthropicLimit(kind: string): WindowNames {
  const name = `anthropic-ratelimit-${kind}`
  return { limit: `${name}-limit`, remaining: `${name}-remaining`, reset: `${name}-reset`, window: MINUTE }
}

/** OpenAI: `reset` is the time until the bucket is full again; a limit per day comes under the same names as one per minute. */
export const OPENAI_HEADERS: HeaderTable = {
  requests: [xRatelimit('requests', 'by refill')],
  tokens: [xRatelimit('tokens', 'by refill')],
  inputTokens: [],
  outputTokens: [],
}

/** Anthropic: token buckets per minute, `reset` is RFC 3339, tokens are rounded to thousands. */
export const ANTHROPIC_HEADERS: HeaderTable = {
  requests: [anthropicLimit('requests')],
  tokens: [anthropicLimit('tokens')],
  inputTokens: [anthropicLimit('input-tokens')],
  outputTokens: [anthropicLimit('output-tokens')],
}

/** Gemini sends none; what is known comes with its 429s (google.rpc.RetryInfo). */
export const GOOGLE_HEADERS: HeaderTable = { requests: [], tokens: [], inputTokens: [], outputTokens: [] }

/** Groq: OpenAI's names, but requests are always counted per day and tokens per minute. */
export const GROQ_HEADERS: HeaderTable = {
  ...OPENAI_HEADERS,
  requests: [xRatelimit('requests', DAY)],
  tokens: [xRatelimit('tokens', MINUTE)],
}

/** Servers that speak OpenAI's API: OpenAI's names, Azure's with a period, those of Mistral and of Cerebras. */
export const COMPATIBLE_HEADERS: HeaderTable = {
  requests: [
    { ...xRatelimit('requests', { header: 'x-ratelimit-renewalperiod-requests' }) },
    xRatelimit('req-minute', MINUTE),
    xRatelimit('requests-minute', MINUTE),
    xRatelimit('requests-day', DAY),
  ],
  tokens: [
    { ...xRatelimit('tokens', { header: 'x-ratelimit-renewalperiod-tokens' }) },
    xRatelimit('tokens-minute', MINUTE),
  ],
  inputTokens: [],
  outputTokens: [],
}

/**
 * What a reply says about the account's limits; `null` where it says nothing. A `retry-after` counts on refusals only: some
 * gateways send one with every answer. What a refusal's body says counts where no header does.
 */
export function readLimits(
  table: HeaderTable,
  reply: WireReply,
  nowMs: number,
  body: BodyLimits = NOTHING_TOLD,
): LimitSignal | null {
  const { headers, status } = reply
  const read = (kind: Quota['kind']) => firstWindow(table[kind], headers, nowMs) ?? reached(body, kind)
  const requests = read('requests')
  const tokens = read('tokens')
  const inputTokens = read('inputTokens')
  const outputTokens = read('outputTokens')
  const retryAfterMs = isSuccess(status) ? null : (retryAfterIn(headers, nowMs) ?? body.bodyWaitMs)
  const silent = [requests, tokens, inputTokens, outputTokens, retryAfterMs].every((part) => part === null)
  return silent ? null : { requests, tokens, inputTokens, outputTokens, retryAfterMs }
}

/** A limit that a refusal names has nothing left. */
function reached({ quota, bodyWaitMs }: BodyLimits, kind: Quota['kind']): LimitWindow | null {
  if (quota === null || quota.kind !== kind) return null
  return { limit: quota.limit, remaining: 0, resetMs: bodyWaitMs, windowMs: quota.windowMs }
}

function firstWindow(names: readonly WindowNames[], headers: Headers, nowMs: number): LimitWindow | null {
  for (const name of names) {
    const limit = countIn(headers, name.limit)
    const remaining = countIn(headers, name.remaining)
    if (limit === null && remaining === null) continue
    const resetMs = name.reset === null ? null : waitIn(headers, name.reset, nowMs)
    return { limit, remaining, resetMs, windowMs: windowOf(name.window, headers, limit, remaining, resetMs) }
  }
  return null
}

/** A whole number of 0 or more; Azure's `-1` and the like say nothing. */
function countIn(headers: Headers, name: string): number | null {
  const text = headers[name]
  return text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? Math.floor(Number(text)) : null
}

function waitIn(headers: Headers, name: string, nowMs: number): number | null {
  const text = headers[name]
  if (text === undefined) return null
  return parseSeconds(text) ?? parseMoment(text, nowMs)
}

function windowOf(
  window: WindowNames['window'],
  headers: Headers,
  limit: number | null,
  remaining: number | null,
  resetMs: number | null,
): number {
  if (typeof window === 'number') return window
  if (typeof window === 'object') {
    const seconds = countIn(headers, window.header)
    if (seconds !== null && seconds > 0) return seconds * 1000
  }
  // A bucket that refills evenly is full again after used / limit of its window. Nearer to a day than to a minute: a day.
  if (limit === null || remaining === null || resetMs === null || remaining >= limit) return MINUTE
  const inferred = (resetMs * limit) / (limit - remaining)
  return inferred > Math.sqrt(MINUTE * DAY) ? DAY : MINUTE
}
