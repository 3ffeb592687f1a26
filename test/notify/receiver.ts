import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What came to a receiver of notices. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server of webhooks, as somebody else has it. */
export interface Receiver {
  readonly url: string
  readonly port: number
  readonly received: readonly Received[]
  close(): Promise<void>
}

/** How a receiver answers a message: a status, with a header, or as it likes to be; `null`: never. */
export type Answering = (n: number, received: Received) => number | Answer | Raw | null

/** Writes an answer by itself, however broken. */
type Raw = (socket: Socket) => void

type Answer = { status: number } & ({ location: string } | { 'retry-after': string })

/** Starts a receiver on this machine; `answer` is given the number of the message from 0. It is gone when the test is over. */
export async function startReceiver(answer: Answering, port = 0): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, body }
      received.push(one)
      const said = answer(received.length - 1, one)
      if (said === null) return
      if (typeof said === 'function') said(request.socket)
      else if (typeof said === 'number') response.writeHead(said).end('thanks')
      else {
        const { status, ...headers } = said
        response.writeHead(status, headers).end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(close)
  const { port: taken } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${taken}`, port: taken, received, close }
}
