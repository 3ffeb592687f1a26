import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import { type Dispatcher, Pool } from 'undici'
import type { Exchange, WireReply, WireRequest } from './wire.ts'

export interface TransportOptions {
  /** Sockets per origin; `null` (the default): as many as there are requests in flight, which the worker bounds. */
  readonly connections?: number | null
  /** Until a socket stands, TLS included. Default 10 s. */
  readonly connectTimeoutMs?: number
  /** Of a reply, once decompressed. Default 32 MiB; a longer one fails as `UND_ERR_RES_EXCEEDED_MAX_SIZE`. */
  readonly maxReplyBytes?: number
}

/** The sockets of this process: HTTP/1.1 with keep-alive, one pool per origin. */
export interface Transport {
  readonly exchange: Exchange
  /** Closes every socket; requests in flight fail. */
  close(): Promise<void>
}

/**
 * A transport over undici. It follows no redirect, uses no proxy and keeps no cookie; it asks for plain bodies and unpacks
 * those that come packed all the same. It knows no deadline but the signal of each request: undici's own are off, for a
 * long answer may say nothing for minutes.
 */
export function createTransport(options: TransportOptions = {}): Transport {
  const { connections = null, connectTimeoutMs = 10_000, maxReplyBytes = 32 * 1024 * 1024 } = options
  const pools = new Map<string, Pool>()
  const places = new Map<string, { readonly pool: Pool; readonly path: string }>()

  const poolOf = (origin: string): Pool => {
    const known = pools.get(origin)
    if (known !== undefined) return known
    const pool = new Pool(origin, {
      connections,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: maxReplyBytes,
      allowH2: false,
    })
    pools.set(origin, pool)
    return pool
  }

  // A model has one URL for all its requests: it is taken apart once.
  const placeOf = (url: string) => {
    const known = places.get(url)
    if (known !== undefined) return known
    const { origin, pathname, search } = new URL(url)
    const place = { pool: poolOf(origin), path: pathname + search }
    if (places.size >= 1000) places.clear()
    places.set(url, place)
    return place
  }

  const exchange = async (request: WireRequest): Promise<WireReply> => {
    const { pool, path } = placeOf(request.url)
    const reply = await dispatch(pool, path, request)
    const packed = reply.headers['content-encoding']
    return packed === undefined ? reply : { ...reply, body: await unpack(reply.body, packed, maxReplyBytes) }
  }

  return Object.freeze({
    exchange,
    close: async () => {
      const open = [...pools.values()]
      pools.clear()
      places.clear()
      await Promise.all(open.map((pool) => pool.destroy()))
    },
  })
}

/**
 * One request on a pool. It rejects the moment its signal aborts, even while a socket is still being made. Dispatched with a
 * handler of our own: `undici.request` would wrap each reply in a stream and an async resource, a third of its CPU.
 */
function dispatch(pool: Pool, path: string, request: WireRequest): Promise<WireReply> {
  return new Promise((resolve, reject) => {
    const { signal, body } = request
    const headers = { ...request.headers, 'accept-encoding': 'identity' }
    const chunks: Uint8Array[] = []
    let controller: Dispatcher.DispatchController | null = null
    let status = 0
    let replyHeaders: Readonly<Record<string, string>> = {}

    const giveUp = () => {
      reject(signal.reason as Error)
      controller?.abort(signal.reason as Error)
    }
    if (signal.aborted) return giveUp()
    // Never taken off again: the signal belongs to this request, and goes with it.
    signal.addEventListener('abort', giveUp, { once: true })
    pool.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart(begun) {
          controller = begun
          if (signal.aborted) begun.abort(signal.reason as Error)
        },
        onResponseStart(_controller, statusCode, received) {
          status = statusCode
          replyHeaders = flatten(received)
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk)
        },
        onResponseEnd() {
          resolve({
            status,
            headers: replyHeaders,
            body: chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks),
          })
        },
        onResponseError(_controller, error) {
          reject(error)
        },
      },
    )
  })
}

function flatten(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const flat: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    flat[name] = typeof value === 'string' ? value : (value?.join(', ') ?? '')
  }
  return flat
}

type Unpack = (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>

const UNPACK: Readonly<Record<string, Unpack>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
}

/** Undoes encodings that were applied although none was asked for. Throws what zlib throws; an unknown encoding is left as it is. */
async function unpack(body: Uint8Array, encoding: string | undefined, maxOutputLength: number): Promise<Uint8Array> {
  if (encoding === undefined || body.length === 0) return body
  let plain = body
  for (const name of encoding.toLowerCase().split(',').reverse()) {
    const undo = UNPACK[name.trim()]
    if (undo !== undefined) plain = await undo(plain, { maxOutputLength })
  }
  return plain
}
