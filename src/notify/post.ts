import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { addressesOf, type LookUp } from './public-address.ts'

/** One message to an address. */
export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Ends it, wherever it stands; the post rejects with its reason. */
  readonly signal: AbortSignal
}

/** What a receiver said: its status, and `Retry-After` as it stands in the answer. */
export interface PostAnswer {
  readonly status: number
  readonly retryAfter: string | null
}

/** Posts one message, and gives the answer. Rejects where none came. */
export type Post = (request: PostRequest) => Promise<PostAnswer>

/** Bytes of an answer that are read so that its connection ends in order; what it says is of no use to us. */
const ANSWER_BYTES = 16 * 1024

/**
 * A post to the open web: each message has a connection of its own, to an address that was looked up and found public just before (unless
 * `allowPrivate`), so that no name can lead elsewhere in between. It follows no redirect, and uses no proxy.
 */
export function createPost(options: { readonly allowPrivate: boolean; readonly lookUp?: LookUp }): Post {
  const lookUp = options.lookUp ?? ((hostname: string) => lookup(hostname, { all: true }))
  return async ({ url, headers, body, signal }) => {
    const { origin, hostname, pathname, search, protocol } = new URL(url)
    if (protocol !== 'https:' && protocol !== 'http:') throw new Error('the address is none of the web')
    const addresses = await unlessAborted(addressesOf(hostname, options.allowPrivate, lookUp), signal)
    const { Client } = await import('undici')
    const [first] = addresses
    const checked: LookupFunction = (_hostname, { all }, done) => {
      if (all === true) done(null, [...addresses])
      else done(null, first?.address ?? '', first?.family)
    }
    const client = new Client(origin, { connect: { lookup: checked }, allowH2: false })
    try {
      const path = pathname + search
      const answer = await client.request({ method: 'POST', path, headers: { ...headers }, body, signal })
      // What comes after the status changes nothing any more.
      await answer.body.dump({ limit: ANSWER_BYTES, signal }).catch(() => undefined)
      const asked = answer.headers['retry-after']
      return { status: answer.statusCode, retryAfter: typeof asked === 'string' ? asked : null }
    } finally {
      await client.destroy()
    }
  }
}

/** A look-up cannot be called off: whoever waits for it can. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
