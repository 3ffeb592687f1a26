import type { JSONSchema7, LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider'
import type { ModelParams, ModelRequest } from '../domain/request.ts'

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

/** Our request as the AI SDK's call options. */
export function toCallOptions(
  request: ModelRequest,
  ask: Ask,
  settings: CallSettings,
  abortSignal: AbortSignal,
): LanguageModelV4CallOptions {
  const { params } = request.target
  const { notes: _, ...set } = settings
  return {
    ...set,
    abortSignal,
    prompt: toPrompt(request, ask.instruction),
    ...(params.temperature !== undefined && { temperature: params.temperature }),
    ...(params.top_p !== undefined && { topP: params.top_p }),
    ...(params.seed !== undefined && { seed: params.seed }),
    ...(params.stop !== undefined && { stopSequences: [...params.stop] }),
    ...(ask.json && { responseFormat: ask.schema === null ? { type: 'json' } : { type: 'json', schema: ask.schema } }),
  }
}

function toPrompt(request: ModelRequest, instruction: string | null): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = []
  const system = [request.system, instruction].filter((text) => text !== null && text !== '').join('\n\n')
  if (system !== '') prompt.push({ role: 'system', content: system })
  for (const { role, text } of request.messages) prompt.push({ role, content: [{ type: 'text', text }] })
  return prompt
}
