import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import type { Dispatcher, Pool } from 'undici'
import type { Http, HttpBody } from './http.ts'
import { unpackedStream } from './unpacked-stream.ts'
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
  /** Streams requests and replies of any length, for files and batches. */
  readonly http: Http
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
  const streams = new Map<string, Pool>()
  const places = new Map<string, Place>()
  let isClosed = false

  // undici is loaded by the first request.
  const poolOf = async (origin: string, among: Map<string, Pool>, maxResponseSize: number): Promise<Pool> => {
    const { Pool } = await import('undici')
    if (isClosed) throw new Error('the transport is closed')
    const connect = { timeout: connectTimeoutMs }
    const bounds = { headersTimeout: 0, bodyTimeout: 0, maxResponseSize }
    const pool = among.get(origin) ?? new Pool(origin, { connections, connect, ...bounds, allowH2: false })
    among.set(origin, pool)
    return pool
  }

  // A model has one URL for all its requests: it is taken apart once.
  const locate = async (url: string): Promise<Place> => {
    const { origin, pathname, search } = new URL(url)
    const place = { pool: await poolOf(origin, pools, maxReplyBytes), path: pathname + search }
    if (places.size >= 1000) places.clear()
    places.set(url, place)
    return place
  }

  const exchange = async (request: WireRequest): Promise<WireReply> => {
    const { pool, path } = places.get(request.url) ?? (await locate(request.url))
    const reply = await dispatch(pool, path, request)
    const packed = reply.headers['content-encoding']
    return packed === undefined ? reply : { ...reply, body: await unpack(reply.body, packed, maxReplyBytes) }
  }

  const http: Http = async ({ method, url, headers, body, signal }) => {
    const { origin, pathname, search } = new URL(url)
    const pool = await poolOf(origin, streams, -1)
    const reply = await pool.request({
      method,
      path: pathname + search,
      headers: { ...headers, 'accept-encoding': 'identity', ...lengthOf(body) },
      body: body === null || typeof body === 'string' ? body : Readable.from(body.blocks(), { objectMode: false }),
      signal,
    })
    const flat = flatten(reply.headers)
    return { status: reply.statusCode, headers: flat, body: unpackedStream(reply.body, flat['content-encoding']) }
  }

  return Object.freeze({
    exchange,
    http,
    close: async () => {
      isClosed = true
      places.clear()
      await Promise.all([...pools.values(), ...streams.values()].map((pool) => pool.destroy()))
    },
  })
}

function lengthOf(body: HttpBody | null): Readonly<Record<string, string>> {
  return body === null || typeof body === 'string' ? {} : { 'content-length': String(body.bytes) }
}

/** Where a URL leads: its origin's sockets, and what is asked there. */
interface Place {
  readonly pool: Pool
  readonly path: string
}

/**
 * One request on a pool. It rejects the moment it is given up, even while a socket is still being made. Dispatched with a
 * handler of our own: `undici.request` would wrap each reply in a stream and an async resource, a third of its CPU.
 */
function dispatch(pool: Pool, path: string, request: WireRequest): Promise<WireReply> {
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, 'accept-encoding': 'identity' }
    const chunks: Uint8Array[] = []
    let controller: Dispatcher.DispatchController | null = null
    let cancelled: Error | null = null
    let status = 0
    let replyHeaders: Readonly<Record<string, string>> = {}

    request.cancellation.onCancel((reason) => {
      cancelled = reason
      reject(reason)
      controller?.abort(reason)
    })
    if (cancelled !== null) return
    pool.dispatch(
      { method: 'POST', path, headers, body: request.body },
      {
        onRequestStart(begun) {
          controller = begun
          if (cancelled !== null) begun.abort(cancelled)
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
