import {
  type Ask,
  BadRequest,
  type LimitHit,
  type LimitStates,
  type Refusal,
  type Said,
  type Shape,
  type WireReply,
} from './ask.ts'
import {
  type Message,
  optionalTokens,
  refuseStreaming,
  requiredList,
  requiredText,
  schemaOrRefuse,
  textOf,
  weigh,
} from './read-request.ts'
import { isRecord, type Schema } from './schema.ts'

/** `POST /v1/messages`: JSON by `output_config.format`, or by a tool that must be called. */
export const anthropicMessages: Shape = Object.freeze({
  provider: 'anthropic',
  requestIdHeader: 'request-id',
  refusesBlocked: true,
  caching: 'marked',
  read,
  // Input tokens have a bucket of their own there, and max_tokens does not count towards it (rate limits page).
  reserve: (ask: Ask) => ask.inputTokens,
  write,
  refuse,
  limitHeaders,
} satisfies Shape)

function read(body: Readonly<Record<string, unknown>>): Ask {
  refuseStreaming(body)
  const messages = requiredList(body, 'messages')
    .filter(isRecord)
    .map((message) => messageOf(String(message.role), message.content))
  if (messages.some((message) => message.text === '')) {
    throw new BadRequest(
      'messages: all messages must have non-empty content except for the optional final assistant message',
    )
  }
  const tool = forcedTool(body)
  const schema = tool === null ? formatSchema(body) : tool.schema
  const maxOutputTokens = optionalTokens(body, 'max_tokens')
  if (maxOutputTokens === null) throw new BadRequest('max_tokens: Field required')
  return {
    model: requiredText(body, 'model'),
    ...weigh([messageOf('system', body.system), ...messages], schema),
    schema,
    maxOutputTokens,
    tool: tool?.name ?? null,
    tier: 'standard',
  }
}

/** A message whose parts may be marked as the end of what is to be kept. */
function messageOf(role: string, content: unknown): Message {
  const parts = Array.isArray(content) ? content.filter(isRecord) : []
  const blocks = parts.map((part) => ({ text: textOf([part]), isMarked: isRecord(part.cache_control) }))
  return blocks.length === 0
    ? { role, text: textOf(content) }
    : { role, text: blocks.map(({ text }) => text).join(''), blocks }
}

function formatSchema(body: Readonly<Record<string, unknown>>): Schema | null {
  const format = isRecord(body.output_config) ? body.output_config.format : body.output_format
  if (!isRecord(format) || format.type !== 'json_schema') return null
  return schemaOrRefuse(format.schema, 'output_config.format.schema')
}

function forcedTool(
  body: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly schema: Schema } | null {
  const choice = body.tool_choice
  if (!isRecord(choice) || !Array.isArray(body.tools) || (choice.type !== 'any' && choice.type !== 'tool')) return null
  const tool = body.tools.filter(isRecord).find((one) => choice.type === 'any' || one.name === choice.name)
  if (tool === undefined) throw new BadRequest(`tool_choice: tool '${String(choice.name)}' not found`)
  return { name: String(tool.name), schema: schemaOrRefuse(tool.input_schema, 'tools.0.input_schema') }
}

const STOP_REASONS = { stop: 'end_turn', length: 'max_tokens', refusal: 'refusal', content_filter: 'refusal' } as const

function write(said: Said, ask: Ask): string {
  const call = said.finish === 'stop' && ask.tool !== null ? parsed(said.text) : undefined
  const content =
    call !== undefined
      ? [{ type: 'tool_use', id: `toolu_${said.id}`, name: ask.tool, input: call }]
      : said.finish === 'refusal'
        ? []
        : [{ type: 'text', text: said.text }]
  return JSON.stringify({
    model: said.model,
    id: `msg_${said.id}`,
    type: 'message',
    role: 'assistant',
    content,
    stop_reason: call === undefined ? STOP_REASONS[said.finish] : 'tool_use',
    stop_sequence: null,
    usage: {
      input_tokens: said.inputTokens - said.cachedTokens - said.cacheWriteTokens,
      cache_creation_input_tokens: said.cacheWriteTokens,
      cache_read_input_tokens: said.cachedTokens,
      output_tokens: said.outputTokens,
      service_tier: said.inBatch ? 'batch' : 'standard',
    },
  })
}

/** A tool's input is JSON in the body itself: what is not JSON can only come as text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Anthropic's error bodies, worded as its API words them (recordings and quoted bodies). */
function refuse(refusal: Refusal, id: string): WireReply {
  const error = (status: number, type: string, message: string, headers: Record<string, string> = {}): WireReply => ({
    status,
    headers: {
      'content-type': 'application/json',
      'x-should-retry': String(status === 429 || status >= 500),
      ...headers,
    },
    body: JSON.stringify({ type: 'error', error: { type, message }, request_id: `req_${id}` }),
  })
  switch (refusal.kind) {
    case 'bad_request':
      return error(400, 'invalid_request_error', refusal.message)
    case 'unknown_route':
      return error(404, 'not_found_error', 'Not Found')
    case 'invalid_key':
      return error(401, 'authentication_error', 'invalid x-api-key')
    case 'insufficient_quota':
      return error(
        400,
        'invalid_request_error',
        'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
      )
    case 'context_too_long':
      return error(
        400,
        'invalid_request_error',
        `prompt is too long: ${refusal.inputTokens} tokens > ${refusal.limit} maximum`,
      )
    case 'content_filter':
      return error(400, 'invalid_request_error', 'Output blocked by content filtering policy')
    case 'rate_limited':
      return error(429, 'rate_limit_error', rateLimitMessage(refusal.limit), retryHeaders(refusal.limit))
    case 'overloaded':
    case 'no_flex':
      return error(529, 'overloaded_error', 'Overloaded')
    case 'server_error':
      return error(500, 'api_error', 'Internal server error')
  }
}

function rateLimitMessage(hit: LimitHit): string {
  const what = hit.scope === 'tokens' ? 'input tokens' : 'requests'
  return `This request would exceed the rate limit for your organization (org-simulated) of ${hit.limit.toLocaleString('en-US')} ${what} per minute. For details, refer to: https://docs.anthropic.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later.`
}

/** Whole seconds, rounded up: "earlier retries will fail". */
function retryHeaders(hit: LimitHit): Record<string, string> {
  return hit.retryAfterMs === null ? {} : { 'retry-after': String(Math.ceil(hit.retryAfterMs / 1000)) }
}

/** `anthropic-ratelimit-*`: resets are RFC 3339 times in whole seconds, remaining tokens are rounded to thousands. */
function limitHeaders(states: LimitStates): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  const put = (kind: string, limit: number, remaining: number, fullInMs: number) => {
    headers[`anthropic-ratelimit-${kind}-limit`] = String(limit)
    headers[`anthropic-ratelimit-${kind}-remaining`] = String(remaining)
    headers[`anthropic-ratelimit-${kind}-reset`] = rfc3339(states.nowMs + fullInMs)
  }
  if (states.requests !== null)
    put('requests', states.requests.limit, states.requests.remaining, states.requests.fullInMs)
  if (states.tokens !== null) {
    const rounded = Math.round(states.tokens.remaining / 1000) * 1000
    put('tokens', states.tokens.limit, rounded, states.tokens.fullInMs)
    put('input-tokens', states.tokens.limit, rounded, states.tokens.fullInMs)
  }
  return headers
}

function rfc3339(ms: number): string {
  return `${new Date(Math.ceil(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`
}
