import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SluiceError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { problemOf } from './problem.ts'

/** How long an answer that nobody may be waiting for is given to arrive. */
const LINGER_MS = 2_000

/** The words that HTTP has for the refusals here. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

/** What the parser of HTTP found, as Node tells it. */
export interface ClientError extends Error {
  readonly code?: string
  /** The rule that was broken, in the parser's own words: nothing of the request. */
  readonly reason?: string
}

/**
 * Answers connections on which no request could be read, as every other error is answered, and closes them: behind the answers to the requests that came before.
 * No route is known then, so that the shape is that of the native API.
 */
export function answerClientErrors(
  runtime: Pick<Runtime, 'uuid' | 'after' | 'now'>,
): (error: ClientError, socket: Socket) => void {
  const refused = new WeakSet<Socket>()
  const answer = (error: ClientError, socket: Socket) => {
    if (!socket.writable) return
    const pending = pendingOn(socket)
    if (pending?.req.complete === true) {
      pending.once('finish', () => answer(error, socket))
    } else if (pending?.headersSent === true) {
      // A second head would be taken for a part of what the first one began.
      socket.destroy()
    } else {
      socket.end(textOf(error, runtime))
      // Not at once: a connection that is closed over bytes which nobody has read is reset, and the answer lost with it.
      const cancel = runtime.after(LINGER_MS, () => socket.destroy())
      socket.once('close', cancel)
    }
  }
  return (error, socket) => {
    // Whatever comes after is no request either.
    if (error.code === 'ECONNRESET' || refused.has(socket)) return
    refused.add(socket)
    answer(error, socket)
  }
}

/** The answer that is due next on a connection, as Node keeps it; `null`: there is none. */
function pendingOn(socket: Socket): ServerResponse | null {
  return (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? null
}

function textOf(error: ClientError, { uuid, now }: Pick<Runtime, 'uuid' | 'now'>): string {
  const id = uuid()
  const problem = problemOf(knownOf(error), id)
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${REASONS[problem.status] ?? ''}`,
    'connection: close',
    `date: ${new Date(now()).toUTCString()}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

function knownOf({ code, reason }: ClientError): SluiceError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new SluiceError('headers_too_large', 'the address and the headers are larger than 16 KiB')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new SluiceError('headers_too_large', 'the extensions of a chunk are larger than 16 KiB')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SluiceError('request_timeout', 'the headers of the request did not come in time')
    default: {
      const why = reason === undefined ? '' : `: ${reason}`
      return new SluiceError('request_invalid', `what came is no request of HTTP/1.1${why}`, {
        hint: 'This server speaks HTTP/1.1, without TLS.',
      })
    }
  }
}
