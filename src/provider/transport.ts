import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import { Pool } from 'undici'
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
    const reply = await pool.request({
      method: 'POST',
      path,
      headers: { ...request.headers, 'accept-encoding': 'identity' },
      body: request.body,
      signal: request.signal,
    })
    const headers = flatten(reply.headers)
    const body = await reply.body.bytes()
    return { status: reply.statusCode, headers, body: await unpack(body, headers['content-encoding'], maxReplyBytes) }
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

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== 'string') headers[name] = value?.join(', ') ?? ''
  }
  return headers as Record<string, string>
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
