import type { ModelParams } from '../domain/request.ts'
import type { CallSettings } from './encode.ts'

/** Required by Anthropic's API. The SDK's own default is the model's maximum, which limits per minute may count in advance. */
const DEFAULT_MAX_TOKENS = 4096

/** The least that Anthropic takes as a budget for thinking. */
const LEAST_BUDGET = 1024

type Effort = NonNullable<ModelParams['reasoning_effort']>

/** Which part of `max_output_tokens` goes to thinking, at each effort. */
const SHARES: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: 0.25,
  low: 0.4,
  medium: 0.6,
  high: 0.75,
  xhigh: 0.85,
}

/**
 * Settings for Anthropic under which thinking and answer together stay within `max_output_tokens`: budgets rest on it. Newer
 * models keep it by themselves; for those that think on a budget the AI SDK would add the budget on top of the bound.
 */
export function anthropicSettings(params: ModelParams, isAdaptive: boolean): CallSettings {
  const whole = params.max_output_tokens ?? DEFAULT_MAX_TOKENS
  const effort = params.reasoning_effort
  if (effort === undefined || effort === 'none' || isAdaptive) {
    return { maxOutputTokens: whole, ...(effort !== undefined && { reasoning: effort }), notes: [] }
  }
  const budget = Math.max(LEAST_BUDGET, Math.floor(whole * SHARES[effort]))
  if (whole - budget < LEAST_BUDGET / 4) {
    const note = `reasoning_effort is not sent: the model thinks with at least ${LEAST_BUDGET} tokens, and max_output_tokens leaves no room for an answer then`
    return { maxOutputTokens: whole, notes: [note] }
  }
  return {
    maxOutputTokens: whole - budget,
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: budget } } },
    notes: [],
  }
}
