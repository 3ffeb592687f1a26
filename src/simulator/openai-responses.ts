import type { Ask, Said, Shape } from './ask.ts'
import { tierAsked } from './flex.ts'
import { openAiLimitHeaders, refuseAsOpenAi } from './openai-errors.ts'
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

/** `POST /v1/responses`. */
export const openAiResponses: Shape = Object.freeze({
  provider: 'openai',
  requestIdHeader: 'x-request-id',
  refusesBlocked: false,
  caching: 'by itself',
  read,
  reserve: (ask: Ask) => Math.max(ask.inputTokens, ask.maxOutputTokens ?? 0),
  write,
  refuse: refuseAsOpenAi,
  limitHeaders: openAiLimitHeaders,
} satisfies Shape)

function read(body: Readonly<Record<string, unknown>>): Ask {
  refuseStreaming(body)
  const schema = schemaOf(isRecord(body.text) ? body.text.format : undefined)
  return {
    model: requiredText(body, 'model'),
    ...weigh(messagesOf(body), schema),
    schema,
    maxOutputTokens: optionalTokens(body, 'max_output_tokens'),
    tool: null,
    tier: tierAsked(body.service_tier),
  }
}

function messagesOf(body: Readonly<Record<string, unknown>>): readonly Message[] {
  const instructions = typeof body.instructions === 'string' ? [{ role: 'system', text: body.instructions }] : []
  if (typeof body.input === 'string') return [...instructions, { role: 'user', text: body.input }]
  const items = requiredList(body, 'input').filter(isRecord)
  return [...instructions, ...items.map((item) => ({ role: String(item.role), text: textOf(item.content) }))]
}

function schemaOf(format: unknown): Schema | null {
  if (!isRecord(format)) return null
  if (format.type === 'json_object') return true
  return format.type === 'json_schema' ? schemaOrRefuse(format.schema, 'text.format.schema') : null
}

function write(said: Said, ask: Ask): string {
  const reason = { length: 'max_output_tokens', content_filter: 'content_filter' }[said.finish as string] ?? null
  const status = reason === null ? 'completed' : 'incomplete'
  return JSON.stringify({
    id: `resp_${said.id}`,
    object: 'response',
    created_at: said.createdS,
    status,
    background: false,
    error: null,
    incomplete_details: reason === null ? null : { reason },
    instructions: null,
    max_output_tokens: ask.maxOutputTokens,
    model: said.model,
    output: [{ id: `msg_${said.id}`, type: 'message', status, content: [contentOf(said)], role: 'assistant' }],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: said.tier === 'flex' ? 'flex' : 'default',
    store: false,
    tool_choice: 'auto',
    tools: [],
    truncation: 'disabled',
    usage: {
      input_tokens: said.inputTokens,
      input_tokens_details: { cached_tokens: said.cachedTokens },
      output_tokens: said.outputTokens,
      output_tokens_details: { reasoning_tokens: said.reasoningTokens },
      total_tokens: said.inputTokens + said.outputTokens,
    },
    metadata: {},
  })
}

function contentOf(said: Said): object {
  if (said.finish === 'refusal') return { type: 'refusal', refusal: said.text }
  return { type: 'output_text', annotations: [], logprobs: [], text: said.text }
}
