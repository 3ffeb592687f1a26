import { composeAnswer } from './answer.ts'
import type { Ask, Refusal, Shape } from './ask.ts'
import type { Capacity } from './capacity.ts'
import { drawOf } from './draw.ts'
import type { SimulatedReply, SimulatedRequest } from './exchange.ts'
import type { AskCounter, Fault } from './fault.ts'
import { FLEX_PERMILLE } from './flex.ts'
import { drawLogNormal } from './latency.ts'
import type { Limits } from './limits.ts'
import type { ResolvedOptions } from './options.ts'
import type { Biller } from './price.ts'
import type { PromptCache, PromptCacheUse } from './prompt-cache.ts'
import type { RequestRecord } from './request-log.ts'

/** Every reply carries it, so that no client can take the simulator for a provider. */
export const SIMULATOR_HEADER = 'x-sluice-simulator'

/** What all requests to one simulator share. */
export interface House {
  readonly options: ResolvedOptions
  readonly limits: Limits
  readonly capacity: Capacity
  readonly bill: Biller
  readonly promptCache: PromptCache
  readonly asked: AskCounter
  /** Without faults nothing depends on how often a body was asked, and nothing needs to be remembered. */
  readonly countsAsks: boolean
  /** Requests that were answered, and so paid for. */
  answered: number
  /** Requests that arrived, by themselves or in batches. */
  arrived: number
}

/** What a batch charges, in thousandths of the price. */
const BATCH_PERMILLE = 500

/** One request on its way through the house. */
export interface Visit {
  readonly house: House
  readonly request: SimulatedRequest
  readonly seq: number
  readonly shape: Shape
  /** Where it stands, if it came in a batch. */
  readonly place: { readonly batch: string; readonly customId: string | null } | null
  /** The body's name for the draws; worked out only where something is drawn. */
  readonly bodyName: () => string
}

/** An answer, and its bill. */
export function answered(visit: Visit, ask: Ask, fault: Fault | null, delayMs: number, count: number): SimulatedReply {
  const { house, shape, seq } = visit
  const { seed, nowMs } = house.options
  const composed = composeAnswer(ask, fault, seed, () => drawOf(seed, visit.bodyName(), 'spoil', count))
  const createdS = Math.floor(nowMs() / 1000)
  const model = answeringModel(ask.model)
  const isUncached = visit.place !== null && house.options.batches.uncached
  const cache = isUncached ? NO_CACHE : house.promptCache.use(shape, ask, nowMs() + delayMs)
  const outputTokens = withExtra(visit, ask, composed.outputTokens)
  const inBatch = visit.place !== null
  const tier = inBatch ? 'standard' : ask.tier
  const named = { model, id: `sim${seq}`, createdS, inBatch, tier } as const
  const reasoningTokens = outputTokens - composed.outputTokens
  const said = { ...composed, ...cache, ...named, outputTokens, reasoningTokens, inputTokens: ask.inputTokens }
  house.answered += 1
  const record: RequestRecord = {
    ...recordOf(visit, ask.model, 200),
    fault,
    billed: true,
    ...(tier === 'flex' && { tier }),
    ...cache,
    inputTokens: said.inputTokens,
    outputTokens: said.outputTokens,
    costNano: house.bill(ask.model, said, inBatch ? BATCH_PERMILLE : tier === 'flex' ? FLEX_PERMILLE : 1000),
  }
  const headers = { ...headersOf(visit), 'content-type': 'application/json' }
  return { kind: 'response', status: 200, headers, body: shape.write(said, ask), delayMs, record }
}

const NO_CACHE: PromptCacheUse = Object.freeze({ cachedTokens: 0, cacheWriteTokens: 0 })

/** What is billed for an answer of so many tokens; never more than was asked for. */
function withExtra({ house, bodyName }: Visit, { maxOutputTokens }: Ask, tokens: number): number {
  const { seed, extraOutput } = house.options
  if (extraOutput.median === 0) return tokens
  const extra = Math.round(drawLogNormal(extraOutput.median, extraOutput.p99, drawOf(seed, bodyName(), 'extra')))
  return Math.max(tokens, Math.min(maxOutputTokens ?? Number.POSITIVE_INFINITY, tokens + extra))
}

/** A model's name as the simulator answers it: no real provider ever does. */
function answeringModel(model: string): string {
  return model.startsWith('simulator/') ? model : `${model}-simulated`
}

/** A request turned away in the provider's own words; nothing is charged for it. */
export function refused(
  visit: Visit,
  model: string,
  refusal: Refusal,
  delayMs = 0,
  fault: Fault | null = null,
): SimulatedReply {
  const wire = visit.shape.refuse(refusal, `sim${visit.seq}`)
  const record = { ...recordOf(visit, model, wire.status), fault: fault ?? refusal.kind }
  const headers = { ...headersOf(visit), ...wire.headers }
  return { kind: 'response', status: wire.status, headers, body: wire.body, delayMs, record }
}

/** The list of models. */
export function listed(visit: Visit, body: string): SimulatedReply {
  const headers = { ...headersOf(visit), 'content-type': 'application/json' }
  return { kind: 'response', status: 200, headers, body, delayMs: 0, record: recordOf(visit, '', 200) }
}

function headersOf({ house, shape, seq }: Visit): Record<string, string> {
  const { limits: given, silentLimits } = house.options
  const limits =
    silentLimits || (given.rpm === null && given.tpm === null) ? {} : shape.limitHeaders(house.limits.states())
  return { ...limits, [shape.requestIdHeader]: `req_sim${seq}`, [SIMULATOR_HEADER]: '1' }
}

/** The record of a visit that has cost nothing yet. */
export function recordOf({ house, request, seq, place }: Visit, model: string, status: number): RequestRecord {
  return {
    seq,
    timeMs: house.options.nowMs(),
    attempt: request.headers['x-sluice-attempt'] ?? null,
    batch: place?.batch ?? null,
    customId: place?.customId ?? null,
    model,
    status,
    fault: null,
    billed: false,
    inputTokens: 0,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    costNano: 0,
  }
}
