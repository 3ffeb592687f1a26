import { type Ask, BadRequest, type Refusal } from './ask.ts'
import type { SimulatedReply } from './exchange.ts'
import type { Fault } from './fault.ts'
import { isRecord, Unanswerable } from './schema.ts'
import { answered, recordOf, refused, type Visit } from './visit.ts'

/** What is said to a request that was let in, after `delayMs`, with the fault that struck it. */
export function serve(visit: Visit, ask: Ask, fault: Fault | null, delayMs: number, count: number): SimulatedReply {
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

/** Plain text cannot fail a schema. */
export function applicable(fault: Fault | null, ask: Ask): Fault | null {
  return ask.schema === null && (fault === 'malformed' || fault === 'schema_missing') ? null : fault
}

/** A body's JSON. Throws `BadRequest` for what is no object. */
export function parseBody(body: string): Readonly<Record<string, unknown>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    throw new BadRequest('We could not parse the JSON body of your request.')
  }
  if (isRecord(parsed)) return parsed
  throw new BadRequest('We could not parse the JSON body of your request: expected an object.')
}
