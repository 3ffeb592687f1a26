import { AISDKError, type LanguageModelV4GenerateResult } from '@ai-sdk/provider'
import type { Completion } from '../domain/completion.ts'
import { type Failure, failure } from '../domain/failure.ts'
import type { Usage } from '../domain/usage.ts'
import { type RawAnswer, toFinish, toText } from './answer.ts'
import type { Api } from './api.ts'
import { type Call, RefusedReply } from './call.ts'
import { classifyHeldError, classifyOddReply, classifyRefusal } from './classify.ts'
import { servedTier } from './flex.ts'
import { type BodyLimits, NOTHING_TOLD, readLimits } from './headers.ts'
import { parseJson, textIn } from './json.ts'
import { cleanMessage } from './message.ts'
import { classifyNetwork } from './network.ts'
import { addUsage, usageIn } from './usage.ts'
import { textOf, type WireReply } from './wire.ts'

/** One call that has ended, and what it takes to say how. */
export interface Ended {
  readonly call: Call
  readonly api: Api
  /** Kept out of every message. */
  readonly key: string | null
  readonly nowMs: number
  readonly latencyMs: number
}

/** How a call that failed ended. */
export interface Concluded {
  readonly completion: Completion
  /** The server would not take the output schema; asked without, it may answer. */
  readonly aboutSchema: boolean
}

/** What the AI SDK decoded, as a completion. Answers that hold an error are failures. */
export function concludeAnswer(result: LanguageModelV4GenerateResult, ended: Ended): Completion {
  const { api, call, key } = ended
  const body = result.response?.body
  const raw = api.read(body)
  const usage = addUsage(call.earlierUsage(), usageIn(body))
  const common = commonOf(ended, usage, raw, result.response?.id ?? null)
  if (raw.error !== null) {
    const told = classifyHeldError(api.rules, raw.error, call.reply()?.status ?? 200, key)
    return { ok: false, failure: told.failure, ...common }
  }
  return { ok: true, text: toText(result), finish: raw.finish ?? toFinish(result.finishReason), ...common }
}

/** What was thrown instead of an answer, as a completion. Rethrows what is no provider's doing: a defect of ours. */
export function concludeFailure(thrown: unknown, ended: Ended): Concluded {
  const reply = ended.call.reply()
  return reply === null ? withoutReply(thrown, ended) : withReply(thrown, reply, ended)
}

function withoutReply(thrown: unknown, ended: Ended): Concluded {
  const { call, key } = ended
  if (call.request() === null && call.endedBy() === null && !AISDKError.isInstance(thrown)) throw thrown
  const common = commonOf(ended, call.earlierUsage(), NOTHING_SAID, null)
  return { completion: { ok: false, failure: whyNoReply(thrown, call, key), ...common }, aboutSchema: false }
}

function whyNoReply(thrown: unknown, call: Call, key: string | null): Failure {
  if (call.endedBy() === 'cancelled') return failure('cancelled', 'given up before the answer came')
  if (call.endedBy() === 'timeout') return failure('timeout', 'no answer within execution.timeout.request')
  if (call.request() !== null) return classifyNetwork(thrown, key)
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return failure('provider_error', cleanMessage(`the request cannot be put to this provider: ${message}`, key), {
    retryable: false,
  })
}

function withReply(thrown: unknown, reply: WireReply, ended: Ended): Concluded {
  const { api, call, key } = ended
  const body = parseJson(textOf(reply))
  const raw = api.read(body)
  const usage = addUsage(call.earlierUsage(), usageIn(body))
  const refused = thrown instanceof RefusedReply
  const id = textIn(body, 'request_id') ?? textIn(body, 'id')
  if (!refused && raw.error === null && raw.finish !== null && (raw.text !== null || raw.finish === 'content_filter')) {
    // The SDK stumbles over some detail, such as a filtered answer without any message, in what is an answer all the same.
    const common = commonOf(ended, usage, raw, id)
    return { completion: { ok: true, text: raw.text ?? '', finish: raw.finish, ...common }, aboutSchema: false }
  }
  const classify = refused ? classifyRefusal : classifyOddReply
  const told = classify(api.rules, reply, key)
  const common = commonOf(ended, usage, raw, id, told)
  const retryAfterMs = common.limits?.retryAfterMs ?? null
  const completion: Completion = {
    ok: false,
    failure: { ...told.failure, retryAfterMs },
    ...common,
    ...(told.aboutTier && { tierRefused: true }),
  }
  return { completion, aboutSchema: told.aboutSchema }
}

/** What an answer says of itself where there is none. */
const NOTHING_SAID = Object.freeze({ model: null, tier: null })

function commonOf(
  ended: Ended,
  usage: Usage | null,
  said: Pick<RawAnswer, 'model' | 'tier'>,
  idInBody: string | null,
  told: BodyLimits = NOTHING_TOLD,
) {
  const reply = ended.call.reply()
  const tier = said.tier ?? servedTier(reply?.headers['x-gemini-service-tier'])
  return {
    usage,
    limits: reply === null ? null : readLimits(ended.api.headers, reply, ended.nowMs, told),
    providerRequestId: (reply === null ? null : requestIdIn(reply)) ?? idInBody,
    latencyMs: ended.latencyMs,
    modelAnswered: said.model,
    ...(tier !== null && { tier }),
  }
}

/** In which header a provider names the request, for its support. */
const REQUEST_ID = [
  'x-request-id',
  'request-id',
  'apim-request-id',
  'x-amzn-requestid',
  'mistral-correlation-id',
  'cf-ray',
]

function requestIdIn(reply: WireReply): string | null {
  const name = REQUEST_ID.find((header) => reply.headers[header] !== undefined)
  return name === undefined ? null : (reply.headers[name] ?? null)
}
