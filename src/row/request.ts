import type { PastAttempt } from '../domain/attempt.ts'
import type { FixedPart, JsonSchema, Message, ModelRequest, ModelTarget } from '../domain/request.ts'
import { jsonText } from './json-text.ts'
import { DEFAULT_MAX_OUTPUT, type Sendable } from './row.ts'

/** A schema longer than this is not repeated to the model in words. */
const SCHEMA_CHARS = 16_000

/** What chat formats add around a request, and around each message, in tokens; generous. */
const TOKENS_AROUND_REQUEST = 64
const TOKENS_AROUND_MESSAGE = 16

/** What is asked in one step of a row. */
export interface Step {
  readonly target: ModelTarget
  readonly system: string | null
  /** The conversation; the last message is the user's. */
  readonly messages: readonly Message[]
  readonly schema: JsonSchema | null
  readonly fixed: FixedPart
  /** 1 normal · 2 errors fed back · 3 and more: the schema is repeated as well. */
  readonly step: number
  /** The answer that did not fit, on this model; `null` in step 1. */
  readonly rejected: PastAttempt | null
}

/**
 * The normalised request of a step. From step 2 on it holds what the model answered last (as kept: capped) and what was wrong with it; an
 * answer that was cut off is not shown again, it would only be continued.
 */
export function buildRequest(step: Step): ModelRequest {
  const { target, system, schema, fixed } = step
  return { target, system, messages: messagesOf(step), schema, fixed }
}

function messagesOf(step: Step): readonly Message[] {
  const { messages, rejected } = step
  if (rejected === null) return messages
  const reply = rejected.cause === 'truncated' ? '' : (rejected.reply ?? '').trim()
  const feedback = feedbackOf(step, rejected)
  if (reply === '') {
    const last = messages.at(-1)?.text ?? ''
    return [...messages.slice(0, -1), { role: 'user', text: `${last}\n\n${feedback}` }]
  }
  return [...messages, { role: 'assistant', text: reply }, { role: 'user', text: feedback }]
}

function feedbackOf({ schema, step }: Step, rejected: PastAttempt): string {
  const lines = [`An earlier answer was not accepted: ${rejected.message ?? rejected.cause}.`]
  if (schema === null) lines.push('Answer again, with the answer alone.')
  else lines.push('Answer with valid JSON only, no other text.')
  if (rejected.cause === 'truncated') lines.push('Be brief: the answer must end before it is cut off.')
  const schemaText = schema === null || step < 3 ? '' : jsonText(schema)
  if (schemaText !== '' && schemaText.length <= SCHEMA_CHARS) lines.push(`It must fit this JSON Schema: ${schemaText}`)
  return lines.join('\n')
}

/** How large a request is taken to be. */
export type Size = Pick<Sendable, 'worstInputTokens' | 'worstOutputTokens'> & {
  /** Input as it is judged by `budget.row_tokens`: a third of its bytes, which is above what texts of most scripts come to. */
  readonly inputTokens: number
}

/** Measures requests with this schema. No token is shorter than a byte, so bytes bound tokens; a schema may be doubled by tightening. */
export function sizer(schema: JsonSchema | null): (request: ModelRequest) => Size {
  const schemaBytes = schema === null ? 0 : Buffer.byteLength(jsonText(schema))
  return (request) => {
    let bytes = request.system === null ? 0 : Buffer.byteLength(request.system)
    for (const message of request.messages) bytes += Buffer.byteLength(message.text)
    const around = TOKENS_AROUND_REQUEST + TOKENS_AROUND_MESSAGE * (request.messages.length + 1)
    const maxOutput = request.target.params.max_output_tokens
    return {
      worstInputTokens: bytes + 2 * schemaBytes + around,
      worstOutputTokens: maxOutput ?? DEFAULT_MAX_OUTPUT,
      inputTokens: Math.ceil((bytes + schemaBytes) / 3),
    }
  }
}
