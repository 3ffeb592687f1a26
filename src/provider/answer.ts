import type { LanguageModelV4GenerateResult } from '@ai-sdk/provider'
import type { Finish, ServedTier } from '../domain/completion.ts'
import { servedTier } from './flex.ts'
import { isRecord, listIn, recordIn, textIn } from './json.ts'

/** What the raw body of an answer tells, where the AI SDK tells less or cannot read it at all. */
export interface RawAnswer {
  /** `null`: as the AI SDK has it. Refusals are told from filters here: to the SDK they are one. */
  readonly finish: Finish | null
  /** An error held inside the body, as the provider wrote it; `null` where there is none. */
  readonly error: unknown
  /** The answer's text, for bodies that the SDK refuses over some detail: they were paid for. `null`: there is none. */
  readonly text: string | null
  /** The model that answered. */
  readonly model: string | null
  /** The service tier it was answered at. */
  readonly tier: ServedTier | null
}

export type AnswerReader = (body: unknown) => RawAnswer

const FINISHES: Readonly<Record<string, Finish>> = {
  stop: 'stop',
  // Together's and vLLM's names for a natural end.
  eos: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  content_filter: 'content_filter',
}

/** Chat completions. */
export function readChat(body: unknown): RawAnswer {
  const choice = listIn(body, 'choices')[0]
  const message = recordIn(choice, 'message')
  const reason = textIn(choice, 'finish_reason')
  const refused = textIn(message, 'refusal') !== null && reason !== 'content_filter'
  const failed = isRecord(choice) && (isRecord(choice.error) || reason === 'error')
  return {
    finish: refused ? 'refusal' : ((reason === null ? undefined : FINISHES[reason]) ?? null),
    error: failed ? (choice.error ?? { message: 'the answer ended in an error' }) : null,
    text: textIn(message, 'content'),
    model: textIn(body, 'model'),
    tier: servedTier(textIn(body, 'service_tier')),
  }
}

/** OpenAI's responses. One that is still queued or running was not asked for, and holds no answer. */
export function readResponses(body: unknown): RawAnswer {
  const messages = listIn(body, 'output').filter((item) => textIn(item, 'type') === 'message')
  const parts = messages.flatMap((item) => listIn(item, 'content'))
  const status = textIn(body, 'status')
  const reason = textIn(recordIn(body, 'incomplete_details'), 'reason')
  const unfinished = status === 'queued' || status === 'in_progress' || status === 'cancelled' || status === 'failed'
  const held = isRecord(body) ? (body.error ?? null) : null
  const texts = parts.map((part) => textIn(part, 'text')).filter((text) => text !== null)
  return {
    finish: responsesFinish(parts, status, reason),
    error: held ?? (unfinished ? { message: `the response is ${status}, not an answer` } : null),
    text: texts.length === 0 ? null : texts.join(''),
    model: textIn(body, 'model'),
    tier: servedTier(textIn(body, 'service_tier')),
  }
}

function responsesFinish(parts: readonly unknown[], status: string | null, reason: string | null): Finish | null {
  if (parts.some((part) => textIn(part, 'type') === 'refusal')) return 'refusal'
  if (status === 'incomplete') return reason === 'max_output_tokens' ? 'length' : (FINISHES[reason ?? ''] ?? null)
  return status === 'completed' && parts.length > 0 ? 'stop' : null
}

/** Anthropic's messages. */
export function readAnthropic(body: unknown): RawAnswer {
  const refused = textIn(body, 'stop_reason') === 'refusal'
  return { finish: refused ? 'refusal' : null, error: null, text: null, model: textIn(body, 'model'), tier: null }
}

/** Gemini's generateContent. */
export function readGemini(body: unknown): RawAnswer {
  const tier = servedTier(textIn(recordIn(body, 'usageMetadata'), 'serviceTier'))
  return { finish: null, error: null, text: null, model: textIn(body, 'modelVersion'), tier }
}

/** How the AI SDK says that an answer ended, in our words. */
export function toFinish(reason: LanguageModelV4GenerateResult['finishReason']): Finish {
  switch (reason.unified) {
    case 'stop':
      return 'stop'
    case 'length':
      return 'length'
    case 'content-filter':
      return 'content_filter'
    default:
      return 'other'
  }
}

/** The answer's text: all of its text parts, without reasoning, calls of tools and sources. */
export function toText(result: LanguageModelV4GenerateResult): string {
  if (result.structuredOutputText !== undefined) return result.structuredOutputText
  let text = ''
  for (const part of result.content) if (part.type === 'text') text += part.text
  return text
}
