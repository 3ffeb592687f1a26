import type { JSONSchema7, LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider'
import type { ModelParams, ModelRequest } from '../domain/request.ts'
import type { CacheMark } from './prompt-cache.ts'

/** How an output schema is put to a model. */
export interface Ask {
  /** Sent as the response format; `null`: none, or see `json`. */
  readonly schema: JSONSchema7 | null
  /** JSON is asked for, with or without a schema. */
  readonly json: boolean
  /** Said in words, where the schema cannot be sent. */
  readonly instruction: string | null
}

/** For answers in plain text. */
export const PLAIN_TEXT: Ask = Object.freeze({ schema: null, json: false, instruction: null })

/** What of a target's parameters an API wants in a way of its own. */
export interface CallSettings
  extends Pick<LanguageModelV4CallOptions, 'maxOutputTokens' | 'reasoning' | 'providerOptions'> {
  /** For people: what is not sent, and why. */
  readonly notes: readonly string[]
}

/** The parameters as they stand. */
export function plainSettings(params: ModelParams): CallSettings {
  const { max_output_tokens: maxOutputTokens, reasoning_effort: reasoning } = params
  return {
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(reasoning !== undefined && { reasoning }),
    notes: [],
  }
}

/** Our request as the AI SDK's call options. `mark`: put on the end of what is fixed of it; `null`: on nothing. */
export function toCallOptions(
  request: ModelRequest,
  ask: Ask,
  settings: CallSettings,
  mark: CacheMark | null,
  abortSignal: AbortSignal,
): LanguageModelV4CallOptions {
  const { params } = request.target
  const { notes: _, ...set } = settings
  return {
    ...set,
    abortSignal,
    prompt: toPrompt(request, ask.instruction, mark),
    ...(params.temperature !== undefined && { temperature: params.temperature }),
    ...(params.top_p !== undefined && { topP: params.top_p }),
    ...(params.seed !== undefined && { seed: params.seed }),
    ...(params.stop !== undefined && { stopSequences: [...params.stop] }),
    ...(ask.json && { responseFormat: ask.schema === null ? { type: 'json' } : { type: 'json', schema: ask.schema } }),
  }
}

function toPrompt(request: ModelRequest, instruction: string | null, mark: CacheMark | null): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = []
  const userChars = mark === null ? 0 : (request.fixed?.userChars ?? 0)
  const system = [request.system, instruction].filter((text) => text !== null && text !== '').join('\n\n')
  if (system !== '') {
    const isEndOfFixed = mark !== null && userChars === 0
    prompt.push({ role: 'system', content: system, ...(isEndOfFixed && { providerOptions: mark }) })
  }
  for (const [index, { role, text }] of request.messages.entries()) {
    const content = index === 0 && mark !== null ? partsOf(text, userChars, mark) : [{ type: 'text' as const, text }]
    prompt.push({ role, content })
  }
  return prompt
}

/** A message in two parts, the first of them marked; in one where either would be empty. */
function partsOf(text: string, fixedChars: number, mark: CacheMark) {
  const rest = { type: 'text' as const, text: text.slice(fixedChars) }
  if (fixedChars === 0) return [rest]
  const fixed = { type: 'text' as const, text: text.slice(0, fixedChars), providerOptions: mark }
  return rest.text === '' ? [fixed] : [fixed, rest]
}
