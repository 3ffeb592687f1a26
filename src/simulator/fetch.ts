import type { BatchCall } from './batch/exchange.ts'
import type { SimulatedReply } from './exchange.ts'
import type { RequestLog } from './request-log.ts'
import type { Simulator } from './simulator.ts'

export interface SimulatorFetchOptions {
  /** Waits; rejects with the signal's reason when that aborts first. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly log?: RequestLog
}

/** A `fetch` that never leaves the process. */
export type SimulatorFetch = (url: string | URL, init?: SimulatedInit) => Promise<Response>

export type SimulatedInit = Pick<RequestInit, 'method' | 'headers' | 'signal'> & {
  readonly body?: RequestInit['body'] | AsyncIterable<Uint8Array>
}

/**
 * The simulator behind the interface of `fetch`. It waits as long as the answer takes, rejects with the signal's reason
 * when that aborts, and with a `TypeError` whose cause has the code `ECONNRESET` where the connection is to break, as
 * Node's own does. The body must be a string, but for the batch endpoints, where everything may stream. What was booked when the client
 * leaves stays booked.
 */
export function simulatorFetch(simulator: Simulator, options: SimulatorFetchOptions): SimulatorFetch {
  if (options.log !== undefined) simulator.batches.logTo(options.log)
  return async (url, init = {}) => {
    const signal = init.signal ?? undefined
    signal?.throwIfAborted()
    const { pathname, search, origin } = new URL(url)
    const method = init.method ?? 'GET'
    const path = pathname + search
    if (simulator.batches.takes(method, path)) return batchFetch(simulator, { method, path, origin }, init)
    const body = textBody(init.body)
    const headers = Object.fromEntries(new Headers(init.headers))
    const reply = simulator.handle({ method, path, headers, body })
    try {
      if (reply.delayMs > 0) await options.sleep(reply.delayMs, signal)
    } catch (error) {
      options.log?.(reply.record, body, true)
      throw error
    }
    options.log?.(reply.record, body, false)
    return responseOf(reply)
  }
}

/** A call of a batch API: what is sent and what comes back streams. */
async function batchFetch(
  simulator: Simulator,
  call: Pick<BatchCall, 'method' | 'path' | 'origin'>,
  init: SimulatedInit,
): Promise<Response> {
  // A form tells its boundary in a header of its own.
  const sent = new Response((init.body ?? null) as Sendable)
  const type = sent.headers.get('content-type')
  const headers = { ...(type !== null && { 'content-type': type }), ...Object.fromEntries(new Headers(init.headers)) }
  const reply = await simulator.batches.handle({ ...call, headers, body: sent.body ?? NOTHING })
  init.signal?.throwIfAborted()
  if (reply.kind === 'reset') throw connectionReset()
  const body = typeof reply.body === 'string' ? reply.body : ReadableStream.from(reply.body)
  return new Response(body as Sendable, { status: reply.status, headers: { ...reply.headers } })
}

/** What Node takes as a body: anything that can be iterated over, too. */
type Sendable = ConstructorParameters<typeof Response>[0]

const NOTHING: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
}

function textBody(body: SimulatedInit['body']): string {
  if (body === undefined || body === null) return ''
  if (typeof body === 'string') return body
  throw new TypeError('the simulator takes bodies that are strings')
}

function responseOf(reply: SimulatedReply): Response {
  if (reply.kind === 'response') return new Response(reply.body, { status: reply.status, headers: reply.headers })
  throw connectionReset()
}

/** As Node's own fetch rejects it. */
function connectionReset(): TypeError {
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })
  return new TypeError('fetch failed', { cause })
}
