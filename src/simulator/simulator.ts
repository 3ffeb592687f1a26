import { type Ask, BadRequest } from './ask.ts'
import { type BatchDesk, createBatchDesk } from './batch/desk.ts'
import { spoilsRows } from './batch/options.ts'
import { createCapacity } from './capacity.ts'
import { drawOf, nameOf } from './draw.ts'
import type { SimulatedReply, SimulatedRequest } from './exchange.ts'
import { createAskCounter, drawFault, type Fault } from './fault.ts'
import { flexRefusal } from './flex.ts'
import { isKeyRefused } from './key.ts'
import { drawLatency } from './latency.ts'
import { createLimits } from './limits.ts'
import { type ResolvedOptions, resolveOptions, type SimulatorOptions } from './options.ts'
import { createBiller } from './price.ts'
import { createPromptCache } from './prompt-cache.ts'
import { pathOnly, routeOf } from './route.ts'
import { applicable, parseBody, serve } from './serve.ts'
import { createStats, type SimulatorStats } from './stats.ts'
import { type House, listed, refused, type Visit } from './visit.ts'

export interface Simulator {
  /**
   * Decides what becomes of a request, without waiting. Answers and faults follow from the seed, the body and how often
   * that body was asked; limits from the clock. What is paid for is booked here, whether or not anybody hears the answer.
   */
  handle(request: SimulatedRequest): SimulatedReply
  /** The batch endpoints. What rows of batches cost is booked when their batch ends, whether or not anybody fetches the results. */
  readonly batches: BatchDesk
  stats(): SimulatorStats
  /** Ends what is under way, and removes what lies on disk. */
  close(): Promise<void>
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
    countsAsks:
      Object.values(options.faults).some((share) => share > 0) ||
      spoilsRows(options.batches) ||
      options.flex.refused > 0,
    answered: 0,
    arrived: 0,
  }
  const stats = createStats()
  const batches = createBatchDesk(house, stats.book)
  return Object.freeze({
    handle: (request: SimulatedRequest) => {
      house.arrived += 1
      const reply = decide(house, request, house.arrived)
      stats.book(reply.record)
      return reply
    },
    batches,
    stats: stats.read,
    close: batches.close,
  })
}

function decide(house: House, request: SimulatedRequest, seq: number): SimulatedReply {
  const route = routeOf(request.method, request.path)
  const bodyName = once(() => nameOf(request.body))
  const visit: Visit = { house, request, seq, shape: route.shape, place: null, bodyName }
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

/** The door: key, credit, length, limits; then what the draw has in store. */
function welcome(visit: Visit, ask: Ask): SimulatedReply {
  const { options, limits, asked, countsAsks } = visit.house
  const { shape, bodyName } = visit
  if (isKeyRefused(options, visit.request)) return refused(visit, ask.model, { kind: 'invalid_key' })
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
  const isFlex = ask.tier === 'flex'
  const drawFlex = () => drawOf(options.seed, bodyName(), 'flex', count)
  const noFlex = isFlex ? flexRefusal(options.flex, drawFlex) : null
  if (noFlex !== null) return refused(visit, ask.model, noFlex)
  const fault = applicable(drawFault(options.faults, options.seed, bodyName, count), ask)
  const workMs = delayOf(options, bodyName, count, fault) * (isFlex ? options.flex.slower : 1)
  const delayMs = workMs === 0 ? 0 : visit.house.capacity.serve(workMs)
  limits.occupy(options.nowMs() + delayMs)
  return serve(visit, ask, fault, delayMs, count)
}

function delayOf(options: ResolvedOptions, bodyName: () => string, count: number, fault: Fault | null): number {
  if (fault === 'slow') return options.slowMs
  if (fault === 'rate_limited' || options.latency.medianMs === 0) return 0
  return drawLatency(options.latency, drawOf(options.seed, bodyName(), 'latency', count))
}
