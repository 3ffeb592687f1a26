import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SimulatedReply } from './exchange.ts'
import { openRequestLog, type RequestLog } from './request-log.ts'
import type { Simulator } from './simulator.ts'
import { SIMULATOR_HEADER } from './visit.ts'

export interface SimulatorServerOptions {
  /** Calls back after `ms`, unless cancelled through the returned function. */
  readonly after: (ms: number, callback: () => void) => () => void
  /** `0` takes any free one. @default 4778 */
  readonly port?: number
  /** @default 127.0.0.1: nobody but this machine */
  readonly host?: string
  /** A file that gets a line for each request, before its answer is sent. @default none */
  readonly requestLog?: string | null
}

export interface SimulatorServer {
  /** Without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Stops listening, breaks what is open, and closes the log. */
  close(): Promise<void>
}

export const DEFAULT_SIMULATOR_PORT = 4778
const STATS_PATH = '/__simulator/stats'
const BATCHES_PATH = '/__simulator/batches'
/** Larger bodies are refused: no provider takes a prompt of this size. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

/** Serves a simulator over HTTP until it is closed. Rejects where the address is taken or the log cannot be opened. */
export async function startSimulatorServer(
  simulator: Simulator,
  options: SimulatorServerOptions,
): Promise<SimulatorServer> {
  const host = options.host ?? '127.0.0.1'
  const log = typeof options.requestLog === 'string' ? openRequestLog(options.requestLog) : null
  // Idle connections stay open: a pool that keeps them longer than we do would meet resets that nobody asked for.
  if (log !== null) simulator.batches.logTo(log.write)
  const service: Service = { simulator, log: log?.write ?? null, after: options.after, waiting: new Set() }
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    serve(service, request, response)
  })
  try {
    await listen(server, options.port ?? DEFAULT_SIMULATOR_PORT, host)
  } catch (error) {
    log?.close()
    throw error
  }
  const { port } = server.address() as AddressInfo
  return Object.freeze({
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    close: async () => {
      await new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      })
      // The sockets' own close events may still be under way; the log must not be closed before its last lines.
      for (const giveUp of service.waiting) giveUp()
      await simulator.close()
      log?.close()
    },
  })
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 2048 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

interface Service {
  readonly simulator: Simulator
  readonly log: RequestLog | null
  readonly after: SimulatorServerOptions['after']
  /** For each answer that is still to be sent: how to give it up. */
  readonly waiting: Set<() => void>
}

function serve(service: Service, request: IncomingMessage, response: ServerResponse): void {
  const { simulator, log } = service
  if (request.url === STATS_PATH) {
    endWithJson(response, simulator.stats())
    return
  }
  const path = request.url ?? '/'
  if (path.startsWith(BATCHES_PATH)) {
    // What is said of batches is final where the caller waits for the answers that are being worked out.
    const settled = path.includes('settle') ? simulator.batches.settled() : Promise.resolve()
    settled.then(
      () => endWithJson(response, simulator.batches.report()),
      (error: unknown) => response.destroy(error as Error),
    )
    return
  }
  if (simulator.batches.takes(request.method ?? 'GET', path)) {
    // A client that leaves in the middle of a call is told nothing.
    serveBatch(simulator, request, response).catch(() => request.socket.destroy())
    return
  }
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) request.socket.destroy()
    else chunks.push(chunk)
  })
  request.on('end', () => {
    const body = (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()
    const headers = request.headers as Readonly<Record<string, string | undefined>>
    const reply = simulator.handle({ method: request.method ?? 'GET', path, headers, body })
    const note = log === null ? null : (aborted: boolean) => log(reply.record, body, aborted)
    if (reply.delayMs <= 0) deliver(reply, note, request.socket, response)
    else deliverLater(service, reply, note, request.socket, response)
  })
}

/** Takes down what became of one request. */
type Note = (aborted: boolean) => void

/** A call of a batch API: what is sent and what comes back streams. */
async function serveBatch(simulator: Simulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = request.headers as Readonly<Record<string, string | undefined>>
  const { method = 'GET', url: path = '/' } = request
  const origin = `http://${headers.host ?? 'localhost'}`
  const reply = await simulator.batches.handle({ method, path, headers, origin, body: request })
  if (reply.kind === 'reset') request.socket.resetAndDestroy()
  else if (typeof reply.body === 'string') end(response, reply.status, reply.headers, reply.body)
  else {
    response.writeHead(reply.status, reply.headers)
    await pipeline(Readable.from(reply.body), response)
  }
}

function deliverLater(
  { after, waiting }: Service,
  reply: SimulatedReply,
  note: Note | null,
  socket: Socket,
  response: ServerResponse,
): void {
  const gone = () => {
    cancel()
    forget()
    note?.(true)
  }
  const forget = () => {
    waiting.delete(gone)
    response.off('close', gone)
  }
  const cancel = after(reply.delayMs, () => {
    forget()
    deliver(reply, note, socket, response)
  })
  waiting.add(gone)
  response.once('close', gone)
}

function deliver(reply: SimulatedReply, note: Note | null, socket: Socket, response: ServerResponse): void {
  note?.(socket.destroyed)
  if (reply.kind === 'reset') socket.resetAndDestroy()
  else end(response, reply.status, reply.headers, reply.body)
}

function endWithJson(response: ServerResponse, value: object): void {
  end(response, 200, { 'content-type': 'application/json' }, JSON.stringify(value))
}

function end(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  response.writeHead(status, { ...headers, [SIMULATOR_HEADER]: '1', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
