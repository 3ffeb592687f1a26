import type { SharedV4ProviderOptions } from '@ai-sdk/provider'
import type { ServedTier } from '../domain/completion.ts'
import type { CallSettings } from './encode.ts'
import { type Address, isLoopback } from './target.ts'

/** How an API is told that a request is to go as flex, in the AI SDK's words. */
export type FlexOptions = SharedV4ProviderOptions

/** OpenAI's price list for flex: o3, o4-mini, and GPT-5 and later without the variants for chats, code, search and the dearest thoughts. */
const OPENAI_MODELS =
  /^(?:o3(?!-mini)|o4-mini|gpt-(?:[5-9]|\d{2,})(?:\.\d+)?)(?![\d.])(?!.*(?:chat|codex|pro\b|search|deep-research|audio))/
/** Gemini's: 2.5 and later, and the names that stand for the latest. */
const GEMINI_MODELS = /^gemini-(?:2\.5|[3-9]|\d{2,}|(?:flash|flash-lite|pro)-latest)/

/**
 * Whether the model at an address may be asked as flex: slower, not always, and for half the price. Known of OpenAI
 * (developers.openai.com/api/docs/guides/flex-processing) and of the Gemini API (ai.google.dev/gemini-api/docs/flex-inference), each at its own
 * address or on this machine, and of the simulator. Other servers that speak OpenAI's API may take the word and charge in full.
 */
export function offersFlex({ provider, api, model, baseUrl }: Address): boolean {
  if (provider === 'simulator') return true
  const isAt = (host: RegExp) => host.test(baseUrl.hostname) || isLoopback(baseUrl)
  if (api === 'google') return isAt(/^generativelanguage\.googleapis\.com$/) && GEMINI_MODELS.test(model)
  const isOpenAi = api === 'openai-chat' || api === 'openai-responses'
  return isOpenAi && isAt(/^(?:\w+\.)?api\.openai\.com$/) && OPENAI_MODELS.test(model)
}

/** The same settings, with the word that the request is to go as flex. */
export function asFlex(settings: CallSettings, flex: FlexOptions): CallSettings {
  const merged: SharedV4ProviderOptions = { ...settings.providerOptions }
  for (const [name, options] of Object.entries(flex)) merged[name] = { ...merged[name], ...options }
  return { ...settings, providerOptions: merged }
}

/** The tier that a provider names in its answer, in our words; `null`: none, or another. */
export function servedTier(named: string | null | undefined): ServedTier | null {
  const tier = named?.toLowerCase().replace(/^service_tier_/, '')
  if (tier === 'flex') return 'flex'
  return tier === 'default' || tier === 'standard' ? 'standard' : null
}
