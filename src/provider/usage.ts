import type { Usage } from '../domain/usage.ts'
import { type Fields, isRecord, numberIn, recordIn } from './json.ts'

/**
 * Tokens in the body of a reply, as its provider counted them; `null` where it names none. Read from the body itself and not
 * from what the AI SDK made of it: failed and odd replies may have been paid for too, and the SDK writes unknown as 0. Knows the
 * shapes of OpenAI (chat and responses), Anthropic and Gemini.
 */
export function usageIn(body: unknown): Usage | null {
  if (!isRecord(body)) return null
  if (isRecord(body.usageMetadata)) return geminiUsage(body.usageMetadata)
  const usage = recordIn(body, 'usage')
  if ('prompt_tokens' in usage || 'completion_tokens' in usage) return chatUsage(usage)
  if (!('input_tokens' in usage) && !('output_tokens' in usage)) return null
  return 'input_tokens_details' in usage || 'total_tokens' in usage ? responsesUsage(usage) : anthropicUsage(usage)
}

/** The tokens of two requests that were paid for as one. */
export function addUsage(a: Usage | null, b: Usage | null): Usage | null {
  if (a === null || b === null) return a ?? b
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  }
}

function chatUsage(usage: Fields): Usage {
  const details = recordIn(usage, 'prompt_tokens_details')
  const input = count(usage, 'prompt_tokens')
  const output = count(usage, 'completion_tokens')
  // xAI, and Gemini's OpenAI endpoint, leave the reasoning they charge for out of the completion: only the total has it.
  const hidden = Math.max(0, count(usage, 'total_tokens') - input - output - count(details, 'audio_tokens'))
  return bounded({
    inputTokens: input,
    // DeepSeek's and Moonshot's names for it stand beside the details.
    cachedInputTokens:
      numberIn(details, 'cached_tokens') ?? numberIn(usage, 'prompt_cache_hit_tokens') ?? count(usage, 'cached_tokens'),
    cacheWriteTokens: count(details, 'cache_write_tokens'),
    outputTokens: output + hidden,
    reasoningTokens: Math.max(hidden, count(recordIn(usage, 'completion_tokens_details'), 'reasoning_tokens')),
  })
}

function responsesUsage(usage: Fields): Usage {
  const details = recordIn(usage, 'input_tokens_details')
  return bounded({
    inputTokens: count(usage, 'input_tokens'),
    cachedInputTokens: count(details, 'cached_tokens'),
    cacheWriteTokens: count(details, 'cache_write_tokens'),
    outputTokens: count(usage, 'output_tokens'),
    reasoningTokens: count(recordIn(usage, 'output_tokens_details'), 'reasoning_tokens'),
  })
}

/** Anthropic counts cached tokens beside the input, not within it. */
function anthropicUsage(usage: Fields): Usage {
  const cached = count(usage, 'cache_read_input_tokens')
  const written = count(usage, 'cache_creation_input_tokens')
  return bounded({
    inputTokens: count(usage, 'input_tokens') + cached + written,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: count(usage, 'output_tokens'),
    reasoningTokens: count(recordIn(usage, 'output_tokens_details'), 'thinking_tokens'),
  })
}

/** Gemini counts thoughts beside the answer, not within it. */
function geminiUsage(usage: Fields): Usage | null {
  if (numberIn(usage, 'promptTokenCount') === null && numberIn(usage, 'candidatesTokenCount') === null) return null
  const thoughts = count(usage, 'thoughtsTokenCount')
  return bounded({
    inputTokens: count(usage, 'promptTokenCount') + count(usage, 'toolUsePromptTokenCount'),
    cachedInputTokens: count(usage, 'cachedContentTokenCount'),
    cacheWriteTokens: 0,
    outputTokens: count(usage, 'candidatesTokenCount') + thoughts,
    reasoningTokens: thoughts,
  })
}

function count(usage: Fields, key: string): number {
  return Math.max(0, Math.trunc(numberIn(usage, key) ?? 0))
}

/** A part that is larger than its whole is not believed: Grok on Azure was seen to count more cached tokens than input. */
function bounded(usage: Usage): Usage {
  const cacheWriteTokens = within(usage.cacheWriteTokens, usage.inputTokens)
  return {
    ...usage,
    cacheWriteTokens,
    cachedInputTokens: within(usage.cachedInputTokens, usage.inputTokens - cacheWriteTokens),
    reasoningTokens: within(usage.reasoningTokens, usage.outputTokens),
  }
}

function within(part: number, whole: number): number {
  return part <= whole ? part : 0
}
