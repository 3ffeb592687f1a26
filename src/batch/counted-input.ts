import type { BatchPart } from '../domain/batch.ts'
import { isRecord, numberIn, parseJson, recordIn } from '../provider/json.ts'
import type { ResultLine } from './batch-api.ts'
import { readRequestId } from './request-lines.ts'

/** Replies of a batch that are looked into: enough for a mean, and no work beside fetching them. */
const SAMPLE = 200

/** Compares what a provider has counted of the input with what we took it for. */
export interface CountedInput {
  see(line: ResultLine): void
  /** Of a token of ours, what the provider counts; `null`: no reply says. */
  share(): number | null
}

/** Creates the comparison for a batch of these parts. It looks at replies from all over the batch. */
export function createCountedInput(parts: readonly BatchPart[]): CountedInput {
  const expected = new Map(parts.map(({ id, inputTokens, rows }) => [id, inputTokens / Math.max(1, rows.length)]))
  const requests = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  const stride = Math.max(1, Math.floor(requests / SAMPLE))
  let [seen, ours, theirs] = [0, 0, 0]
  return Object.freeze({
    see({ id, result }: ResultLine) {
      if (result.kind !== 'reply' || result.status !== 200 || seen++ % stride !== 0) return
      const tokens = inputTokensIn(parseJson(result.body))
      const estimate = expected.get(readRequestId(id ?? '')?.partId ?? '')
      if (tokens === null || estimate === undefined) return
      ours += estimate
      theirs += tokens
    },
    share: () => (ours > 0 && theirs > 0 ? theirs / ours : null),
  })
}

/** As OpenAI's two APIs and all that speak like them, Anthropic (which counts what it has cached beside the rest), and Gemini write it. */
function inputTokensIn(body: unknown): number | null {
  if (!isRecord(body)) return null
  const usage = recordIn(body, 'usage')
  const plain =
    numberIn(usage, 'prompt_tokens') ??
    numberIn(usage, 'input_tokens') ??
    numberIn(recordIn(body, 'usageMetadata'), 'promptTokenCount')
  if (plain === null) return null
  const cached = ['cache_read_input_tokens', 'cache_creation_input_tokens'].map((key) => numberIn(usage, key) ?? 0)
  return cached.reduce((sum, tokens) => sum + tokens, plain)
}
