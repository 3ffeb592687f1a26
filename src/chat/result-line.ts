import type { ChatAnswer, ChatKind } from '../domain/chat.ts'
import type { Usage } from '../domain/usage.ts'

/** A request of a batch that was answered. */
export interface AnsweredRequest extends ChatAnswer {
  readonly customId: string
  /** Of this answer alone; made of hex digits: the same whenever the line is written. */
  readonly token: string
  readonly model: string
  /** Of all that the request took. */
  readonly usage: Usage
  /** UTC, seconds. */
  readonly createdAt: number
}

/** A request of a batch that has no answer. */
export interface UnansweredRequest {
  readonly customId: string
  readonly token: string
  readonly code: string
  readonly message: string
}

/** A line of the output file, with its end. */
export function outputLine(kind: ChatKind, request: AnsweredRequest): string {
  const { customId, token } = request
  return `${JSON.stringify({
    id: `batch_req_${token}`,
    custom_id: customId,
    response: { status_code: 200, request_id: `req_${token}`, body: toResponseBody(kind, request) },
    error: null,
  })}\n`
}

/** A line of the error file, with its end. */
export function errorLine({ customId, token, code, message }: UnansweredRequest): string {
  const id = `batch_req_${token}`
  return `${JSON.stringify({ id, custom_id: customId, response: null, error: { code, message } })}\n`
}

/** What OpenAI's live API would have answered. */
export function toResponseBody(kind: ChatKind, request: AnsweredRequest): Readonly<Record<string, unknown>> {
  return kind === 'chat_completions' ? chatCompletion(request) : response(request)
}

function chatCompletion({ token, model, createdAt, answer, refusal, finish_reason, usage }: AnsweredRequest) {
  return {
    id: `chatcmpl-${token}`,
    object: 'chat.completion',
    created: createdAt,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer, refusal, annotations: [] },
        logprobs: null,
        finish_reason,
      },
    ],
    usage: chatUsage(usage),
    service_tier: 'default',
    system_fingerprint: null,
  }
}

function chatUsage({ inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens }: Usage) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens, cache_write_tokens: cacheWriteTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

const INCOMPLETE: Readonly<Record<ChatAnswer['finish_reason'], string | null>> = Object.freeze({
  stop: null,
  length: 'max_output_tokens',
  content_filter: 'content_filter',
})

function response({ token, model, createdAt, answer, refusal, finish_reason, usage }: AnsweredRequest) {
  const reason = INCOMPLETE[finish_reason]
  const status = reason === null ? 'completed' : 'incomplete'
  const content =
    refusal !== null
      ? { type: 'refusal', refusal }
      : { type: 'output_text', text: answer ?? '', annotations: [], logprobs: [] }
  return {
    id: `resp_${token}`,
    object: 'response',
    created_at: createdAt,
    completed_at: reason === null ? createdAt : null,
    status,
    access_programs: null,
    background: false,
    error: null,
    incomplete_details: reason === null ? null : { reason },
    instructions: null,
    metadata: {},
    model,
    output: [{ id: `msg_${token}`, type: 'message', status, role: 'assistant', content: [content] }],
    parallel_tool_calls: true,
    previous_response_id: null,
    service_tier: 'default',
    temperature: null,
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: responsesUsage(usage),
  }
}

function responsesUsage({ inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens }: Usage) {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens, cache_write_tokens: cacheWriteTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  }
}
