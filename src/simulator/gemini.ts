import { type Ask, BadRequest, type LimitHit, type Refusal, type Said, type Shape, type WireReply } from './ask.ts'
import { tierAsked } from './flex.ts'
import { optionalTokens, requiredList, textOf, weigh } from './read-request.ts'
import { isRecord, isSchema, type Schema } from './schema.ts'

const DETAIL = 'type.googleapis.com/google.rpc.'

/** `POST /v1beta/models/{model}:generateContent`. The model stands in the path; limits are told in the error's body only. */
export const gemini: Shape = Object.freeze({
  provider: 'gemini',
  requestIdHeader: 'x-request-id',
  refusesBlocked: false,
  caching: 'by itself',
  read,
  reserve: (ask: Ask) => ask.inputTokens,
  write,
  refuse,
  limitHeaders: () => ({}),
} satisfies Shape)

function read(body: Readonly<Record<string, unknown>>, path: string): Ask {
  const messages = requiredList(body, 'contents')
    .filter(isRecord)
    .map((content) => ({ role: String(content.role ?? 'user'), text: textOf(content.parts) }))
  const system = isRecord(body.systemInstruction) ? textOf(body.systemInstruction.parts) : ''
  const config = isRecord(body.generationConfig) ? body.generationConfig : {}
  const schema = schemaOf(config)
  return {
    model: modelOf(path),
    ...weigh([{ role: 'system', text: system }, ...messages], schema),
    schema,
    maxOutputTokens: optionalTokens(config, 'maxOutputTokens'),
    tool: null,
    tier: tierAsked(body.serviceTier ?? body.service_tier),
  }
}

function modelOf(path: string): string {
  const model = /\/models\/([^/:]+):generateContent$/.exec(path)?.[1]
  if (model === undefined) throw new BadRequest('Only generateContent is simulated.')
  return decodeURIComponent(model)
}

function schemaOf(config: Readonly<Record<string, unknown>>): Schema | null {
  if (config.responseMimeType !== 'application/json') return null
  if (isSchema(config.responseJsonSchema)) return config.responseJsonSchema
  return isRecord(config.responseSchema) ? fromOpenApi(config.responseSchema) : true
}

/** Gemini's older dialect: types in capitals, `nullable` instead of a null type. */
function fromOpenApi(value: unknown): Schema {
  if (!isRecord(value)) return true
  const { nullable, type, properties, items, anyOf, ...rest } = value
  const schema: Record<string, unknown> = { ...rest }
  if (typeof type === 'string') schema.type = nullable === true ? [type.toLowerCase(), 'null'] : type.toLowerCase()
  if (isRecord(properties)) {
    schema.properties = Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [name, fromOpenApi(inner)]),
    )
  }
  if (items !== undefined) schema.items = fromOpenApi(items)
  if (Array.isArray(anyOf)) schema.anyOf = anyOf.map(fromOpenApi)
  return schema
}

const FINISH_REASONS = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  refusal: 'PROHIBITED_CONTENT',
  content_filter: 'SAFETY',
} as const

/** A refused answer is a candidate without content; a blocked prompt has no candidate at all. */
function write(said: Said): string {
  const usage = {
    promptTokenCount: said.inputTokens,
    ...(said.cachedTokens > 0 && { cachedContentTokenCount: said.cachedTokens }),
    ...(said.outputTokens > 0 && { candidatesTokenCount: said.outputTokens }),
    totalTokenCount: said.inputTokens + said.outputTokens,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: said.inputTokens }],
    serviceTier: said.tier,
  }
  const meta = { usageMetadata: usage, modelVersion: said.model, responseId: said.id }
  if (said.finish === 'content_filter') return JSON.stringify({ promptFeedback: { blockReason: 'SAFETY' }, ...meta })
  const content = said.finish === 'refusal' ? {} : { content: { parts: [{ text: said.text }], role: 'model' } }
  return JSON.stringify({ candidates: [{ ...content, finishReason: FINISH_REASONS[said.finish], index: 0 }], ...meta })
}

/** Google's `google.rpc.Status` bodies (recordings and quoted bodies). */
function refuse(refusal: Refusal): WireReply {
  switch (refusal.kind) {
    case 'bad_request':
    case 'content_filter':
      return error(
        400,
        'INVALID_ARGUMENT',
        refusal.kind === 'bad_request' ? refusal.message : 'The prompt was blocked.',
      )
    case 'unknown_route':
      return error(404, 'NOT_FOUND', `Not found: ${refusal.method} ${refusal.path}`)
    case 'invalid_key':
      return error(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [
        {
          '@type': `${DETAIL}ErrorInfo`,
          reason: 'API_KEY_INVALID',
          domain: 'googleapis.com',
          metadata: { service: 'generativelanguage.googleapis.com' },
        },
      ])
    case 'insufficient_quota':
      return error(
        429,
        'RESOURCE_EXHAUSTED',
        'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. ',
        [quotaFailure('generate_requests_per_model_per_day', 'GenerateRequestsPerDayPerProjectPerModel', 0), HELP],
      )
    case 'context_too_long':
      return error(
        400,
        'INVALID_ARGUMENT',
        `The input token count (${refusal.inputTokens}) exceeds the maximum number of tokens allowed (${refusal.limit}).`,
      )
    case 'rate_limited':
      return rateLimited(refusal.model, refusal.limit)
    case 'overloaded':
    case 'no_flex':
      return error(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.')
    case 'server_error':
      return error(
        500,
        'INTERNAL',
        'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
      )
  }
}

function rateLimited(model: string, hit: LimitHit): WireReply {
  const scope = hit.scope === 'tokens' ? 'InputTokens' : 'Requests'
  const metric = `generate_content_paid_tier_${hit.scope === 'tokens' ? 'input_token_count' : 'requests'}`
  const wait = hit.retryAfterMs === null ? null : `${Math.ceil(hit.retryAfterMs) / 1000}s`
  const retry = wait === null ? '' : `\nPlease retry in ${wait}.`
  const message = `You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: generativelanguage.googleapis.com/${metric}, limit: ${hit.limit}, model: ${model}${retry}`
  return error(429, 'RESOURCE_EXHAUSTED', message, [
    quotaFailure(metric, `GenerateContentPaidTier${scope}PerModelPerMinute`, hit.limit),
    ...(wait === null ? [] : [{ '@type': `${DETAIL}RetryInfo`, retryDelay: wait }]),
  ])
}

const HELP = Object.freeze({
  '@type': `${DETAIL}Help`,
  links: [
    { description: 'Learn more about Gemini API quotas', url: 'https://ai.google.dev/gemini-api/docs/rate-limits' },
  ],
})

function quotaFailure(metric: string, quotaId: string, value: number): object {
  const quotaMetric = `generativelanguage.googleapis.com/${metric}`
  return { '@type': `${DETAIL}QuotaFailure`, violations: [{ quotaMetric, quotaId, quotaValue: String(value) }] }
}

function error(status: number, rpcStatus: string, message: string, details: readonly object[] = []): WireReply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    body: JSON.stringify({
      error: { code: status, message, status: rpcStatus, ...(details.length > 0 && { details }) },
    }),
  }
}
