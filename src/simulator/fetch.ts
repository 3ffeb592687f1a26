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

export type SimulatedInit = Pick<RequestInit, 'method' | 'headers' | 'body' | 'signal'>

/**
 * The simulator behind the interface of `fetch`. It waits as long as the answer takes, rejects with the signal's reason
 * when that aborts, and with a `TypeError` whose cause has the code `ECONNRESET` where the connection is to break, as
 * Node's own does. The body must be a string. What was booked when the client leaves stays booked.
 */
export function simulatorFetch(simulator: Simulator, options: SimulatorFetchOptions): SimulatorFetch {
  return async (url, init = {}) => {
    const signal = init.signal ?? undefined
    signal?.throwIfAborted()
    const { pathname, search } = new URL(url)
    const body = textBody(init.body)
    const reply = simulator.handle({
      method: init.method ?? 'GET',
      path: pathname + search,
      headers: Object.fromEntries(new Headers(init.headers)),
      body,
    })
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

function textBody(body: RequestInit['body']): string {
  if (body === undefined || body === null) return ''
  if (typeof body === 'string') return body
  throw new TypeError('the simulator takes bodies that are strings')
}

function responseOf(reply: SimulatedReply): Response {
  if (reply.kind === 'response') return new Response(reply.body, { status: reply.status, headers: reply.headers })
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })
  throw new TypeError('fetch failed', { cause })
}
