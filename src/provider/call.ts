import type { Usage } from '../domain/usage.ts'
import type { Runtime } from '../runtime.ts'
import { parseJson } from './json.ts'
import type { CompleteOptions } from './model.ts'
import { addUsage, usageIn } from './usage.ts'
import { asResponse, type Exchange, isSuccess, textOf, type WireReply, type WireRequest } from './wire.ts'

/** One call of a model, from asking to the last byte: what its requests and replies leave behind for it. */
export interface Call {
  readonly signal: AbortSignal
  /** Why it was given up; `null` while it was not. */
  endedBy(): 'timeout' | 'cancelled' | null
  /** The last request that went out; `null`: none did. */
  request(): WireRequest | null
  reply(): WireReply | null
  /** Tokens of answers before the last: Gemini may continue one answer over several requests. */
  earlierUsage(): Usage | null
  /** Lets go of the clock and of the caller's signal. */
  close(): void
}

/** A reply that is no answer; thrown through the AI SDK, which passes it on untouched and so builds no error around the bodies. */
export class RefusedReply extends Error {
  override readonly name = 'RefusedReply'
}

interface OpenCall extends Call {
  readonly attemptId: string
  readonly exchange: Exchange
  note(request: WireRequest): void
  noteReply(reply: WireReply): void
}

/**
 * Gives each call of one AI SDK model its own context. The SDK hands the call's signal to `fetch` as it is; it is what the two
 * ends know each other by, so concurrent calls cannot mix and nothing extra travels.
 */
export function createCalls(runtime: Runtime, attemptHeader: boolean) {
  const open = new WeakMap<AbortSignal, OpenCall>()

  const fetch = async (url: string, init: { headers: Record<string, string>; body: string; signal: AbortSignal }) => {
    const call = open.get(init.signal)
    if (call === undefined) throw new Error('a request outside any call')
    const headers = attemptHeader ? { ...init.headers, 'x-sluice-attempt': call.attemptId } : init.headers
    const request = { url, headers, body: init.body, signal: init.signal }
    call.note(request)
    const reply = await call.exchange(request)
    call.noteReply(reply)
    if (!isSuccess(reply.status)) throw new RefusedReply()
    return asResponse(reply, url)
  }

  return {
    fetch: fetch as unknown as typeof globalThis.fetch,
    start(exchange: Exchange, options: CompleteOptions): Call {
      const call = startCall(runtime, exchange, options)
      open.set(call.signal, call)
      return call
    },
  }
}

function startCall(runtime: Runtime, exchange: Exchange, options: CompleteOptions): OpenCall {
  const controller = new AbortController()
  let ended: 'timeout' | 'cancelled' | null = null
  let request: WireRequest | null = null
  let reply: WireReply | null = null
  let earlier: Usage | null = null

  const end = (why: 'timeout' | 'cancelled') => {
    ended ??= why
    controller.abort()
  }
  const cancel = () => end('cancelled')
  const stopClock = runtime.after(options.timeoutMs, () => end('timeout'))
  if (options.signal.aborted) cancel()
  else options.signal.addEventListener('abort', cancel, { once: true })

  return {
    signal: controller.signal,
    attemptId: options.attemptId,
    exchange,
    endedBy: () => ended,
    request: () => request,
    reply: () => reply,
    earlierUsage: () => earlier,
    note(next) {
      request = next
      if (reply !== null) earlier = addUsage(earlier, usageIn(parseJson(textOf(reply))))
      reply = null
    },
    noteReply(next) {
      reply = next
    },
    close() {
      stopClock()
      options.signal.removeEventListener('abort', cancel)
    },
  }
}
