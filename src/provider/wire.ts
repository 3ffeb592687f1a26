/** One request on its way to a provider, encoded. It holds the key: it is never kept, logged or put in an error. */
export interface WireRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly cancellation: Cancellation
}

/** How an exchange learns that nobody waits for it any more. Lighter than an AbortSignal, of which each request would need its own. */
export interface Cancellation {
  /** Calls back when the request is given up; at once, where it was before. It has one listener: the exchange. */
  onCancel(listener: (reason: Error) => void): void
}

/** The whole reply, whatever its status. */
export interface WireReply {
  readonly status: number
  /** Names in lower case; a header that came twice is joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** POSTs one request and waits for the last byte. Every status is a reply; what the network threw is thrown as it was. */
export type Exchange = (request: WireRequest) => Promise<WireReply>

const decoder = new TextDecoder()

/** The body as text; bytes that are no UTF-8 become replacement characters. */
export function textOf(reply: WireReply): string {
  return decoder.decode(reply.body)
}

/** Whether a status says that the request was answered. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

/**
 * A reply in the shape of `fetch`'s Response, as far as the AI SDK looks at one: the body is complete, nothing streams, and a
 * real Response would cost a fifth of the whole call. Headers read as empty: they were read before.
 */
export function asResponse(reply: WireReply, url: string): Response {
  const { status, body } = reply
  const light = {
    ok: isSuccess(status),
    status,
    statusText: '',
    url,
    redirected: false,
    headers: NO_HEADERS,
    body: { getReader: () => readOnce(body) },
    text: async () => textOf(reply),
    json: async () => JSON.parse(textOf(reply)) as unknown,
    arrayBuffer: async () => body.slice().buffer,
  }
  return light as unknown as Response
}

// A Map answers all that the SDK asks of headers: `get`, `entries`, iteration.
const NO_HEADERS: ReadonlyMap<string, string> = new Map()

function readOnce(body: Uint8Array) {
  let taken = body.length === 0
  return {
    read: async () => {
      if (taken) return { done: true, value: undefined }
      taken = true
      return { done: false, value: body }
    },
    cancel: async () => undefined,
    releaseLock: () => undefined,
  }
}

/** As much of `fetch` as an exchange needs. */
export type FetchLike = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    /** A text; for files and batches, also one that is made while it is sent. */
    readonly body: string | AsyncIterable<Uint8Array>
    readonly signal: AbortSignal
  },
) => Promise<Response>

/** Exchanges over something with the interface of `fetch`, such as a simulator in this process. */
export function exchangeOver(fetchLike: FetchLike): Exchange {
  return async ({ url, headers, body, cancellation }) => {
    const controller = new AbortController()
    cancellation.onCancel((reason) => controller.abort(reason))
    const response = await fetchLike(url, { method: 'POST', headers: { ...headers }, body, signal: controller.signal })
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    }
  }
}
