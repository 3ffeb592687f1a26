import type { JSONSchema7, LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider'
import type { ModelRequest } from '../domain/request.ts'

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

/** Our request as the AI SDK's call options. `maxOutputTokens` holds where the request itself names none. */
export function toCallOptions(
  request: ModelRequest,
  ask: Ask,
  more: Pick<LanguageModelV4CallOptions, 'abortSignal' | 'providerOptions' | 'maxOutputTokens'>,
): LanguageModelV4CallOptions {
  const { params } = request.target
  const maxOutputTokens = params.max_output_tokens ?? more.maxOutputTokens
  const reasoning = params.reasoning_effort
  return {
    ...more,
    prompt: toPrompt(request, ask.instruction),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(params.temperature !== undefined && { temperature: params.temperature }),
    ...(params.top_p !== undefined && { topP: params.top_p }),
    ...(params.seed !== undefined && { seed: params.seed }),
    ...(params.stop !== undefined && { stopSequences: [...params.stop] }),
    ...(reasoning !== undefined && { reasoning }),
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
