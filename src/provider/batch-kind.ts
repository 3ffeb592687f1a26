import type { BatchKind } from '../domain/batch.ts'
import type { ModelTarget } from '../domain/request.ts'
import { sha256 } from '../runtime.ts'
import type { EncodedRequest } from './model.ts'
import { type Address, isLoopback } from './target.ts'

/** A way in which batch APIs speak. */
export type BatchProtocol = 'openai' | 'anthropic' | 'google' | 'mistral'

/** Who speaks OpenAI's chat API, and for batches either nothing at all or a language that sluice does not know. */
const WITHOUT = /(?:^|\.)(?:x\.ai|openrouter\.ai|deepseek\.com|perplexity\.ai|googleapis\.com)$/

/**
 * How the batch API at an address speaks; `null`: there is none that sluice knows. A compatible server is taken to have OpenAI's, unless it is known
 * to have none: whether it really does, its answer to the first upload says. On this machine a path with `mistral` in it stands for Mistral's.
 */
export function batchProtocol({ api, baseUrl }: Address): BatchProtocol | null {
  if (api === 'anthropic' || api === 'google') return api
  const isMistral = /(?:^|\.)mistral\.ai$/.test(baseUrl.hostname)
  if (isMistral || (isLoopback(baseUrl) && baseUrl.pathname.split('/').includes('mistral'))) return 'mistral'
  return WITHOUT.test(baseUrl.hostname) ? null : 'openai'
}

/** Makes the kinds of encoded requests: equal ones are one object, so that a worker can group by it. */
export function createBatchKinds(): (account: string, target: ModelTarget, encoded: EncodedRequest) => BatchKind {
  const known = new Map<string, BatchKind>()
  return (account, { id, baseUrl, apiKeyEnv }, { url, headers, schemaLevel }) => {
    const text = JSON.stringify([account, id, baseUrl, apiKeyEnv, url, Object.entries(headers).sort(), schemaLevel])
    const held = known.get(text)
    if (held !== undefined) return held
    const target = { id, baseUrl, apiKeyEnv }
    const kind = Object.freeze({ key: sha256(text).slice(0, 32), account, target, url, headers, schemaLevel })
    if (known.size >= 1000) known.clear()
    known.set(text, kind)
    return kind
  }
}
