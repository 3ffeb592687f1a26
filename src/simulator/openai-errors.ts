import type { LimitHit, LimitStates, Refusal, WireReply } from './ask.ts'

const RATE_LIMITS_PAGE = 'https://platform.openai.com/account/rate-limits'
const JSON_HEADERS = { 'content-type': 'application/json' }

/** OpenAI's error bodies and headers, worded as its API words them (recordings; openai.com error codes page). */
export function refuseAsOpenAi(refusal: Refusal): WireReply {
  switch (refusal.kind) {
    case 'bad_request':
      return error(400, 'invalid_request_error', refusal.message, null, refusal.param)
    case 'unknown_route':
      return error(404, 'invalid_request_error', `Invalid URL (${refusal.method} ${refusal.path})`, null)
    case 'invalid_key':
      return error(
        401,
        'invalid_request_error',
        'Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.',
        'invalid_api_key',
      )
    case 'insufficient_quota':
      return error(
        429,
        'insufficient_quota',
        'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
        'insufficient_quota',
      )
    case 'context_too_long':
      return error(
        400,
        'invalid_request_error',
        `This model's maximum context length is ${refusal.limit} tokens. However, your messages resulted in ${refusal.inputTokens} tokens. Please reduce the length of the messages.`,
        'context_length_exceeded',
        'messages',
      )
    case 'content_filter':
      return error(400, 'invalid_request_error', 'The request was rejected by the content filter.', 'content_filter')
    case 'rate_limited':
      return rateLimited(refusal.model, refusal.limit)
    case 'overloaded':
      return error(
        503,
        'server_error',
        'The server is currently overloaded with other requests. Sorry about that!',
        null,
      )
    case 'no_flex':
      return error(
        429,
        'server_error',
        'Resource Unavailable: flex has no capacity for this request.',
        'resource_unavailable',
      )
    case 'server_error':
      return error(
        500,
        'server_error',
        'The server had an error while processing your request. Sorry about that!',
        null,
      )
  }
}

/** `x-ratelimit-*`: the reset is the time until the bucket is full again, as a Go duration. */
export function openAiLimitHeaders(states: LimitStates): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const kind of ['requests', 'tokens'] as const) {
    const state = states[kind]
    if (state === null) continue
    headers[`x-ratelimit-limit-${kind}`] = String(state.limit)
    headers[`x-ratelimit-remaining-${kind}`] = String(state.remaining)
    headers[`x-ratelimit-reset-${kind}`] = goDuration(state.fullInMs)
  }
  return headers
}

/** Go's way to write a duration: `12ms`, `1.5s`, `6m0s`, `1h2m3s`. Part milliseconds are rounded up. */
export function goDuration(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole === 0) return '0s'
  if (whole < 1000) return `${whole}ms`
  const hours = Math.floor(whole / 3_600_000)
  const minutes = Math.floor((whole % 3_600_000) / 60_000)
  const seconds = `${(whole % 60_000) / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}

function rateLimited(model: string, hit: LimitHit): WireReply {
  const per = hit.scope === 'tokens' ? 'tokens per min (TPM)' : 'requests per min (RPM)'
  const where = `${model} in organization org-simulated on ${per}`
  if (hit.retryAfterMs === null) {
    const message = `Request too large for ${where}: Limit ${hit.limit}, Requested ${hit.requested}. The input or output tokens must be reduced in order to run successfully. Visit ${RATE_LIMITS_PAGE} to learn more.`
    return error(429, hit.scope, message, 'rate_limit_exceeded')
  }
  const wait = goDuration(hit.retryAfterMs)
  const message = `Rate limit reached for ${where}: Limit ${hit.limit}, Used ${hit.used}, Requested ${hit.requested}. Please try again in ${wait}. Visit ${RATE_LIMITS_PAGE} to learn more.`
  const reply = error(429, hit.scope, message, 'rate_limit_exceeded')
  const waitMs = Math.ceil(hit.retryAfterMs)
  return {
    ...reply,
    headers: {
      ...reply.headers,
      'retry-after': String(Math.ceil(waitMs / 1000)),
      'retry-after-ms': String(waitMs),
    },
  }
}

function error(
  status: number,
  type: string,
  message: string,
  code: string | null,
  param: string | null = null,
): WireReply {
  return { status, headers: JSON_HEADERS, body: JSON.stringify({ error: { message, type, param, code } }) }
}
