import type { LanguageModelV4GenerateResult } from '@ai-sdk/provider'
import type { Completion, Unanswered } from '../domain/completion.ts'
import type { ModelRequest } from '../domain/request.ts'
import type { Api } from './api.ts'
import { type Call, stagedCall } from './call.ts'
import { concludeFailure } from './conclude.ts'
import type { BatchReply, EncodedRequest, Model } from './model.ts'
import type { AskedSchema, SchemaLevels } from './schema-levels.ts'
import type { WireReply } from './wire.ts'

/** What the live lane has, and both lanes use. */
interface LiveParts {
  readonly api: Api
  readonly key: string | null
  readonly schemas: SchemaLevels
  /** Asks through the AI SDK. */
  generate(request: ModelRequest, asked: AskedSchema | null, call: Call): Promise<LanguageModelV4GenerateResult>
  /** Asks, and says what came of it. */
  conclude(request: ModelRequest, asked: AskedSchema | null, call: Call, latency: () => number): Promise<Completion>
}

/** Headers that change what a body means; the others say who sends it, or how. */
const TELLING = ['anthropic-version', 'anthropic-beta']

/**
 * Requests and replies of batches, by way of the live lane: to encode, the model is asked with nothing to answer it, and what it was about to send
 * is kept; to decode, it is asked again, and answered with what the batch brought.
 */
export function createBatchCodec(parts: LiveParts): Pick<Model, 'encode' | 'decode'> {
  const { api, key, schemas } = parts

  async function encode(request: ModelRequest): Promise<EncodedRequest | Unanswered> {
    const asked = request.schema === null ? null : schemas.asked(request.schema)
    const call = stagedCall([])
    try {
      await parts.generate(request, asked, call)
    } catch (thrown) {
      const sent = call.request()
      if (sent !== null) {
        return {
          ok: true,
          url: sent.url,
          headers: telling(sent.headers),
          body: onOneLine(sent.body),
          schemaLevel: asked?.level ?? null,
        }
      }
      const { completion } = concludeFailure(thrown, { call, api, key, nowMs: 0, latencyMs: 0 })
      if (!completion.ok) return completion
    }
    throw new Error('the AI SDK answered without asking')
  }

  async function decode(request: ModelRequest, reply: BatchReply): Promise<Completion> {
    const asked = request.schema === null ? null : schemas.asked(request.schema, reply.schemaLevel ?? 'schema')
    const call = stagedCall([wireReply(reply), CUT_SHORT])
    const completion = await parts.conclude(request, asked, call, () => 0)
    // What it says of limits and waits was true hours ago.
    if (completion.ok) return { ...completion, limits: null }
    return { ...completion, limits: null, failure: { ...completion.failure, retryAfterMs: null } }
  }

  return { encode, decode }
}

const encoder = new TextEncoder()

function wireReply({ status, body, requestId }: BatchReply): WireReply {
  return { status, headers: requestId === null ? {} : { 'x-request-id': requestId }, body: encoder.encode(body) }
}

/** Gemini may leave off and want to be asked again with a token, which the SDK does: a batch cannot, so the answer ends there, cut at its length. */
const CUT_SHORT: WireReply = {
  status: 200,
  headers: {},
  body: encoder.encode('{"candidates":[{"finishReason":"MAX_TOKENS"}]}'),
}

/** Readers of lines that follow Unicode, as Python's `splitlines` does, end one at these as well. */
const ODD_LINE_ENDS = /[\u0085\u2028\u2029]/g

/** The same JSON, on what everybody takes for one line. */
function onOneLine(json: string): string {
  return json.replace(ODD_LINE_ENDS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Sorted, so that equal sets of betas make equal headers. */
function telling(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {}
  for (const name of Object.keys(headers)) {
    const key = name.toLowerCase()
    if (TELLING.includes(key))
      kept[key] = (headers[name] as string)
        .split(',')
        .map((part) => part.trim())
        .sort()
        .join(',')
  }
  return kept
}
