import type { Usage } from '../domain/usage.ts'
import type { Runtime } from '../runtime.ts'
import { parseJson } from './json.ts'
import type { CompleteOptions } from './model.ts'
import { addUsage, usageIn } from './usage.ts'
import {
  asResponse,
  type Cancellation,
  type Exchange,
  isSuccess,
  textOf,
  type WireReply,
  type WireRequest,
} from './wire.ts'

/** One call of a model, from asking to the last byte: what its requests and replies leave behind for it. */
export interface Call {
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

/** A call that never leaves the process: its requests are answered with `replies` in turn, without a clock; the one after the last fails. */
export function stagedCall(replies: readonly WireReply[]): Call {
  const waiting = [...replies]
  let request: WireRequest | null = null
  let reply: WireReply | null = null
  let earlier: Usage | null = null
  const call: OpenCall = {
    endedBy: () => null,
    request: () => request,
    reply: () => reply,
    earlierUsage: () => earlier,
    async send(url, headers, body) {
      if (reply !== null) earlier = addUsage(earlier, usageIn(parseJson(textOf(reply))))
      request = { url, headers, body, cancellation: NEVER_CANCELLED }
      reply = waiting.shift() ?? null
      if (reply === null) throw NO_MORE_REPLIES
      return reply
    },
    close: () => undefined,
  }
  return call
}

const NEVER_CANCELLED: Cancellation = Object.freeze({ onCancel: () => undefined })

/** What a staged call ends in when nothing is left to answer it; one for all, for a stack would cost more than the rest. */
const NO_MORE_REPLIES = new Error('nothing is staged for this request')

interface OpenCall extends Call {
  /** Sends one request of the call and notes the reply. */
  send(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<WireReply>
}

/** What the AI SDK gives to `fetch`. */
interface SdkInit {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/**
 * The `fetch` for AI SDK models. The SDK hands the signal of a call on as it is, and does nothing else with it: so the call
 * itself travels in its place (`asSignal`), concurrent calls cannot mix, and nothing has to be looked up.
 */
export const callFetch = (async (url: string, init: SdkInit) => {
  const reply = await (init.signal as unknown as OpenCall).send(url, init.headers, init.body)
  if (!isSuccess(reply.status)) throw new RefusedReply()
  return asResponse(reply, url)
}) as unknown as typeof globalThis.fetch

/** A call in the place of the signal that `callFetch` expects it in. */
export function asSignal(call: Call): AbortSignal {
  return call as unknown as AbortSignal
}

/** Opens a call: its time runs from here. `attemptHeader`: the server may be told the attempt. */
export function openCall(runtime: Runtime, exchange: Exchange, options: CompleteOptions, attemptHeader: boolean): Call {
  const { signal } = options
  let ended: 'timeout' | 'cancelled' | null = null
  let abandon: ((reason: Error) => void) | null = null
  let request: WireRequest | null = null
  let reply: WireReply | null = null
  let earlier: Usage | null = null

  const end = (why: 'timeout' | 'cancelled') => {
    ended ??= why
    abandon?.(new Error(why))
  }
  const cancel = () => end('cancelled')
  const stopClock = runtime.after(options.timeoutMs, () => end('timeout'))
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })

  const cancellation: Cancellation = {
    onCancel(listener) {
      abandon = listener
      if (ended !== null) listener(new Error(ended))
    },
  }

  const call: OpenCall = {
    endedBy: () => ended,
    request: () => request,
    reply: () => reply,
    earlierUsage: () => earlier,
    async send(url, given, body) {
      if (reply !== null) earlier = addUsage(earlier, usageIn(parseJson(textOf(reply))))
      reply = null
      const headers = attemptHeader ? { ...given, 'x-sluice-attempt': options.attemptId } : given
      request = { url, headers, body, cancellation }
      reply = await exchange(request)
      return reply
    },
    close() {
      stopClock()
      signal.removeEventListener('abort', cancel)
    },
  }
  return call
}
