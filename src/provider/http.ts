import type { Runtime } from '../runtime.ts'
import type { FetchLike } from './wire.ts'

/** One request of any method. Its headers may hold a key: it is never kept, logged or put in an error. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** `null`: none. */
  readonly body: HttpBody | null
  readonly signal: AbortSignal
}

/** Text; or a body that is made while it is sent, of a length that is known before: not every server takes one that is not. */
export type HttpBody = string | { readonly bytes: number; readonly blocks: () => AsyncIterable<Buffer> }

export interface HttpReply {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** As it comes, unpacked. Throws what the network threw. To stop reading it lets go of the connection. */
  readonly body: AsyncIterable<Buffer>
}

/** Sends a request, streamed both ways. Every status is a reply; what the network threw is thrown as it was, and a signal's reason as it is. */
export type Http = (request: HttpRequest) => Promise<HttpReply>

/** Nothing has moved in either direction for too long. */
class Silence extends Error {
  override readonly name = 'Silence'
  /** As `classifyNetwork` knows it. */
  readonly code = 'SILENCE'
}

/** Gives a request up when nothing of it has moved for `silenceMs`: no block was taken to be sent, and none came. However long the whole takes is fine. */
export function givingUpInSilence(http: Http, runtime: Pick<Runtime, 'after'>, silenceMs: number): Http {
  return async ({ signal, body, ...request }) => {
    const controller = new AbortController()
    const pass = () => controller.abort(signal.reason)
    let stop: () => void = () => undefined
    const moved = () => {
      stop()
      stop = runtime.after(silenceMs, () => controller.abort(new Silence('nothing moved for too long')))
    }
    const end = () => {
      stop()
      signal.removeEventListener('abort', pass)
    }
    signal.addEventListener('abort', pass, { once: true })
    if (signal.aborted) pass()
    moved()
    try {
      const reply = await http({ ...request, body: noted(body, moved), signal: controller.signal })
      return { ...reply, body: blocksOf(reply.body, moved, end, controller.signal) }
    } catch (error) {
      end()
      throw controller.signal.aborted ? controller.signal.reason : error
    }
  }
}

function noted(body: HttpBody | null, moved: () => void): HttpBody | null {
  if (body === null || typeof body === 'string') return body
  return {
    bytes: body.bytes,
    async *blocks() {
      for await (const block of body.blocks()) {
        moved()
        yield block
      }
    },
  }
}

async function* blocksOf(
  body: AsyncIterable<Buffer>,
  moved: () => void,
  end: () => void,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  try {
    for await (const block of body) {
      moved()
      yield block
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    end()
  }
}

/** HTTP over something with the interface of `fetch`, such as a simulator in this process. */
export function httpOver(fetchLike: FetchLike): Http {
  return async ({ method, url, headers, body, signal }) => {
    const sent = body === null || typeof body === 'string' ? (body ?? '') : body.blocks()
    const response = await fetchLike(url, { method, headers: { ...headers }, body: sent, signal })
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: buffers(response),
    }
  }
}

async function* buffers(response: Response): AsyncGenerator<Buffer> {
  if (response.body === null) return
  for await (const block of response.body) yield Buffer.from(block.buffer, block.byteOffset, block.byteLength)
}
