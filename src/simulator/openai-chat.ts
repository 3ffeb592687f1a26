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

/** `POST /v1/chat/completions`: OpenAI's, and that of every compatible server. */
export const openAiChat: Shape = Object.freeze({
  provider: 'openai',
  requestIdHeader: 'x-request-id',
  refusesBlocked: false,
  caching: 'by itself',
  read,
  // "max(max_tokens, estimated tokens from character count)" (OpenAI's rate limit guide).
  reserve: (ask: Ask) => Math.max(ask.inputTokens, ask.maxOutputTokens ?? 0),
  write,
  refuse: refuseAsOpenAi,
  limitHeaders: openAiLimitHeaders,
} satisfies Shape)

function read(body: Readonly<Record<string, unknown>>): Ask {
  refuseStreaming(body)
  const messages = requiredList(body, 'messages').filter(isRecord).map(messageOf)
  const schema = schemaOf(body.response_format)
  return {
    model: requiredText(body, 'model'),
    ...weigh(messages, schema),
    schema,
    maxOutputTokens: optionalTokens(body, 'max_completion_tokens') ?? optionalTokens(body, 'max_tokens'),
    tool: null,
    tier: tierAsked(body.service_tier),
  }
}

function messageOf(message: Readonly<Record<string, unknown>>): Message {
  return { role: String(message.role), text: textOf(message.content) }
}

function schemaOf(format: unknown): Schema | null {
  if (!isRecord(format)) return null
  if (format.type === 'json_object') return true
  if (format.type !== 'json_schema') return null
  const inner = isRecord(format.json_schema) ? format.json_schema.schema : undefined
  return schemaOrRefuse(inner, 'response_format.json_schema.schema')
}

/** Written out rather than built: this is the answer that benchmarks wait for, and only a few parts of it ever change. */
function write(said: Said): string {
  const refused = said.finish === 'refusal'
  const text = JSON.stringify(said.text)
  const { inputTokens, outputTokens } = said
  return (
    `{"id":"chatcmpl-${said.id}","object":"chat.completion","created":${said.createdS},"model":${JSON.stringify(said.model)},` +
    `"choices":[{"index":0,"message":{"role":"assistant","content":${refused ? 'null' : text},` +
    `"refusal":${refused ? text : 'null'},"annotations":[]},"logprobs":null,` +
    `"finish_reason":"${refused ? 'stop' : said.finish}"}],` +
    `"usage":{"prompt_tokens":${inputTokens},"completion_tokens":${outputTokens},"total_tokens":${inputTokens + outputTokens},` +
    `"prompt_tokens_details":{"cached_tokens":${said.cachedTokens}},"completion_tokens_details":{"reasoning_tokens":${said.reasoningTokens}}},` +
    `"service_tier":"${said.tier === 'flex' ? 'flex' : 'default'}","system_fingerprint":"fp_simulated"}`
  )
}
