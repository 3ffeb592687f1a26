import type { Completion } from '../../src/domain/completion.ts'
import type { JsonSchema, ModelTarget } from '../../src/domain/request.ts'
import { createModels } from '../../src/provider/registry.ts'
import type { Exchange, WireReply, WireRequest } from '../../src/provider/wire.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

/** A target without any setting. */
export function targetOf(id: string, more: Partial<ModelTarget> = {}): ModelTarget {
  const needsUrl = id.startsWith('openai-compatible/')
  return { id, baseUrl: needsUrl ? 'http://compatible.test/v1' : null, apiKeyEnv: null, params: {}, ...more }
}

/** Models over `exchange`, with a key in every variable and a clock that stands still. */
export function modelsOver(exchange: Exchange, key = 'sk-test-0123456789abcdef') {
  return createModels({
    env: () => key,
    runtime: manualRuntime(),
    transport: { exchange, close: async () => undefined },
  })
}

/** A reply as the transport hands it on. */
export function replyOf(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): WireReply {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status, headers, body: new TextEncoder().encode(text) }
}

/** Asks a model once; what it is answered with is given. */
export async function ask(
  id: string,
  reply: WireReply | ((request: WireRequest) => Promise<WireReply>),
  more: { readonly schema?: JsonSchema; readonly key?: string; readonly signal?: AbortSignal } = {},
): Promise<Completion> {
  const exchange: Exchange = typeof reply === 'function' ? reply : async () => reply
  const target = targetOf(id)
  const model = modelsOver(exchange, more.key).open(target)
  return model.complete(
    { target, system: null, messages: [{ role: 'user', text: 'Who won?' }], schema: more.schema ?? null },
    { timeoutMs: 1000, signal: more.signal ?? new AbortController().signal, attemptId: 'attempt' },
  )
}

/** A completion on one line: how it ended, and its tokens as input/cached/cache write/output/reasoning. */
export function summary(completion: Completion): string {
  const { usage } = completion
  const tokens =
    usage === null
      ? 'no usage'
      : [
          usage.inputTokens,
          usage.cachedInputTokens,
          usage.cacheWriteTokens,
          usage.outputTokens,
          usage.reasoningTokens,
        ].join('/')
  if (completion.ok) return `${completion.finish} ${tokens}`
  const { cause, retryable } = completion.failure
  return `${retryable ? '' : 'never again: '}${cause} ${tokens}`
}
