import type { AttemptEnd } from '../events.ts'

/**
 * Names of OpenTelemetry's conventions for generative AI (semantic-conventions 1.38, status: development). They stand here and not in an import: what is
 * in development there changes its name from one minor version to the next, and our figures must not.
 */
export const GEN_AI = Object.freeze({
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  model: 'gen_ai.request.model',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  tokenType: 'gen_ai.token.type',
  error: 'error.type',
})

const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  google: 'gcp.gemini',
  mistral: 'mistral_ai',
}

/** `provider/model` as the conventions tell it apart. */
export function genAiModel(id: string): { readonly provider: string; readonly model: string } {
  const slash = id.indexOf('/')
  const provider = id.slice(0, slash)
  return { provider: PROVIDER_NAMES[provider] ?? provider, model: id.slice(slash + 1) }
}

/** Whether the provider said what a request used: a refusal, or a time-out, says nothing, and is no request of 0 tokens. */
export function isCounted({ usage }: Pick<AttemptEnd, 'usage'>): boolean {
  return usage.inputTokens + usage.outputTokens > 0
}

/** Buckets that the conventions advise for `gen_ai.client.operation.duration`, s. */
export const DURATION_BUCKETS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]

/** The same for `gen_ai.client.token.usage`. */
export const TOKEN_BUCKETS = Array.from({ length: 14 }, (_, power) => 4 ** power)
