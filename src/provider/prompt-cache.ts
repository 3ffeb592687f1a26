import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { Address } from './target.ts'

/** Asks a provider to keep the prompt up to the part that carries it. */
export type CacheMark = NonNullable<LanguageModelV4CallOptions['providerOptions']>

/** Anthropic keeps what is marked for five minutes after its last use, charges 1.25 times to write it and a tenth to read it. */
export const ANTHROPIC_MARK: CacheMark = Object.freeze({ anthropic: { cacheControl: { type: 'ephemeral' } } })

/**
 * The shortest prefix, in tokens, that the model's provider keeps for requests to come. Below it a mark is ignored and costs nothing, so that
 * where sources differ the lower number stands here.
 * Anthropic: docs.claude.com/en/docs/build-with-claude/prompt-caching, as quoted in anthropics/anthropic-sdk-python#1194 (4,096 for Opus 4.5 and
 * later and Haiku 4.5, 2,048 for Haiku 3 and 3.5, 1,024 for the others). OpenAI: platform.openai.com/docs/guides/prompt-caching (1,024, by itself).
 * Gemini: ai.google.dev/gemini-api/docs/caching (implicit; 1,024 for Flash, 4,096 for Pro). Others are taken to be like OpenAI.
 */
export function cachesFrom({ api, model }: Pick<Address, 'api' | 'model'>): number {
  if (api === 'google') return /pro/.test(model) ? 4096 : 1024
  if (api !== 'anthropic') return 1024
  if (/haiku/.test(model)) return /haiku-[4-9]|haiku-\d{2}/.test(model) ? 4096 : 2048
  return /opus-4-(?:[5-9]|\d{2})(?!\d)|opus-[5-9]/.test(model) ? 4096 : 1024
}
