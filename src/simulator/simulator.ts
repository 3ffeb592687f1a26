import { type Ask, BadRequest, type Refusal } from './ask.ts'
import { createCapacity } from './capacity.ts'
import { drawOf, nameOf } from './draw.ts'
import type { SimulatedReply, SimulatedRequest } from './exchange.ts'
import { createAskCounter, drawFault, type Fault } from './fault.ts'
import { drawLatency } from './latency.ts'
import { createLimits } from './limits.ts'
import { type ResolvedOptions, resolveOptions, type SimulatorOptions } from './options.ts'
import { createBiller } from './price.ts'
import { createPromptCache } from './prompt-cache.ts'
import { routeOf } from './route.ts'
import { isRecord, Unanswerable } from './schema.ts'
import { createStats, type SimulatorStats } from './stats.ts'
import { answered, type House, listed, recordOf, refused, type Visit } from './visit.ts'

export interface Simulator {
  /**
   * Decides what becomes of a request, without waiting. Answers and faults follow from the seed, the body and how often
   * that body was asked; limits from the clock. What is paid for is booked here, whether or not anybody hears the answer.
   */
  handle(request: SimulatedRequest): SimulatedReply
  stats(): SimulatorStats
}

/** A provider to practise on, of which nothing leaves the process. Throws a `RangeError` for options that contradict themselves. */
export function createSimulator(given: SimulatorOptions): Simulator {
  const options = resolveOptions(given)
  const house: House = {
    options,
    limits: createLimits(options.limits, options.nowMs),
    capacity: createCapacity(options.capacity, options.nowMs),
    bill: createBiller(options.prices),
    promptCache: createPromptCache(options.nowMs),
    asked: createAskCounter(),
    countsAsks: Object.values(options.faults).some((share) => share > 0),
    answered: 0,
  }
  const stats = createStats()
  let seq = 0
  return Object.freeze({
    handle: (request: SimulatedRequest) => {
      seq += 1
      const reply = decide(house, request, seq)
      stats.book(reply.record)
      return reply
    },
    stats: stats.read,
  })
}

function decide(house: House, request: SimulatedRequest, seq: number): SimulatedReply {
  const route = routeOf(request.method, request.path)
  const visit: Visit = { house, request, seq, shape: route.shape, bodyName: once(() => nameOf(request.body)) }
  if (route.kind === 'list') return listed(visit, route.body)
  if (route.kind === 'unknown') {
    return refused(visit, '', { kind: 'unknown_route', method: request.method, path: request.path })
  }
  try {
    return welcome(visit, route.shape.read(parseBody(request.body), pathOnly(request.path)))
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return refused(visit, '', { kind: 'bad_request', message: error.message, param: error.param })
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function parseBody(body: string): Readonly<Record<string, unknown>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    throw new BadRequest('We could not parse the JSON body of your request.')
  }
  if (isRecord(parsed)) return parsed
  throw new BadRequest('We could not parse the JSON body of your request: expected an object.')
}

function pathOnly(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

/** The door: key, credit, length, limits; then what the draw has in store. */
function welcome(visit: Visit, ask: Ask): SimulatedReply {
  const { options, limits, asked, countsAsks } = visit.house
  const { shape, bodyName } = visit
  if (options.badKey || keyOf(visit.request) === 'bad-key') return refused(visit, ask.model, { kind: 'invalid_key' })
  if (options.quotaRequests !== null && visit.house.answered >= options.quotaRequests) {
    return refused(visit, ask.model, { kind: 'insufficient_quota' })
  }
  if (options.contextTokens !== null && ask.inputTokens > options.contextTokens) {
    const { inputTokens } = ask
    return refused(visit, ask.model, { kind: 'context_too_long', inputTokens, limit: options.contextTokens })
  }
  const hit = limits.admit(shape.reserve(ask))
  if (hit !== null) return refused(visit, ask.model, { kind: 'rate_limited', model: ask.model, limit: hit })
  if (!limits.hasRoom()) return refused(visit, ask.model, { kind: 'overloaded' })
  const count = countsAsks ? asked.next(bodyName()) : 1
  const fault = applicable(drawFault(options.faults, options.seed, bodyName, count), ask)
  const workMs = delayOf(options, bodyName, count, fault)
  const delayMs = workMs === 0 ? 0 : visit.house.capacity.serve(workMs)
  limits.occupy(options.nowMs() + delayMs)
  return serve(visit, ask, fault, delayMs, count)
}

/** Plain text cannot fail a schema. */
function applicable(fault: Fault | null, ask: Ask): Fault | null {
  return ask.schema === null && (fault === 'malformed' || fault === 'schema_missing') ? null : fault
}

function keyOf({ headers, path }: SimulatedRequest): string | undefined {
  const bearer = headers.authorization?.replace(/^Bearer\s+/i, '')
  return bearer ?? headers['x-api-key'] ?? headers['x-goog-api-key'] ?? /[?&]key=([^&]*)/.exec(path)?.[1]
}

function delayOf(options: ResolvedOptions, bodyName: () => string, count: number, fault: Fault | null): number {
  if (fault === 'slow') return options.slowMs
  if (fault === 'rate_limited' || options.latency.medianMs === 0) return 0
  return drawLatency(options.latency, drawOf(options.seed, bodyName(), 'latency', count))
}

function serve(visit: Visit, ask: Ask, fault: Fault | null, delayMs: number, count: number): SimulatedReply {
  if (fault === 'reset') {
    return { kind: 'reset', delayMs, record: { ...recordOf(visit, ask.model, 0), fault } }
  }
  const refusal = refusalOf(visit, ask, fault)
  if (refusal !== null) return refused(visit, ask.model, refusal, delayMs, fault)
  try {
    return answered(visit, ask, fault, delayMs, count)
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
    const message = `Invalid schema for response format: ${error.message}.`
    return refused(visit, ask.model, { kind: 'bad_request', message, param: 'response_format' })
  }
}

/** The faults that are said with an error rather than in an answer. */
function refusalOf({ house, shape }: Visit, ask: Ask, fault: Fault | null): Refusal | null {
  if (fault === 'overloaded' || fault === 'server_error') return { kind: fault }
  if (fault === 'content_filter' && shape.refusesBlocked) return { kind: 'content_filter' }
  if (fault !== 'rate_limited') return null
  const limit = house.options.limits.rpm ?? 60
  const hit = { scope: 'requests', limit, used: limit, requested: 1, retryAfterMs: house.options.retryAfterMs } as const
  return { kind: 'rate_limited', model: ask.model, limit: hit }
}
