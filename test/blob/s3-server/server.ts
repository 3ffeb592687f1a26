import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer, refusal, type S3Answer, type S3Request } from './answers.ts'
import { createObjects, type Objects } from './objects.ts'
import { faultOfSignature, type Keys } from './signature.ts'

/**
 * What a test has go wrong with a request: an S3 error, a connection cut before the answer (`drop`) or in the middle of its body (`cut`), or an answer
 * that never comes (`hang`).
 */
export type Fault = { readonly code: string } | 'drop' | 'cut' | 'hang'

/** An S3 server on a free port of the loopback, with one bucket in memory. It checks signatures, and refuses what it does not understand. */
export interface S3Server {
  readonly endpoint: string
  readonly bucket: string
  readonly objects: Objects
  /** Every request so far: `GET key`, with the part of the query that says which request it is. */
  readonly requests: string[]
  /** Asked for each request; what it returns goes wrong. */
  fault: ((request: string) => Fault | null) | null
  /** The variables that make it the storage of a process. */
  readonly env: Readonly<Record<string, string>>
  close(): Promise<void>
}

export const KEYS: Keys = { accessKeyId: 'AKIATESTTESTTEST', secretAccessKey: 'secret-of-the-test-server' }

export async function startS3Server(
  options: { readonly bucket?: string; readonly pageSize?: number } = {},
): Promise<S3Server> {
  const { bucket = 'test-bucket', pageSize = 1000 } = options
  const objects = createObjects()
  const requests: string[] = []
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming).catch(() => null)
    if (body === null) return
    const { pathname, searchParams: query } = new URL(incoming.url ?? '/', endpoint)
    const [, named = '', ...rest] = pathname.split('/')
    const key = decodeURIComponent(rest.join('/'))
    const { method = 'GET', headers } = incoming
    const request: S3Request = { method, key, query, headers, body }
    const shown = showRequest(request)
    requests.push(shown)
    const fault = started.fault?.(shown) ?? null
    if (fault === 'hang') return
    if (fault === 'drop') return void incoming.socket.destroy()
    const given = fault !== null && fault !== 'cut' ? refusal(fault.code) : respond(incoming, request, named)
    if (fault === 'cut') cutOff(response, given)
    else send(response, request, given)
  }

  function respond(incoming: IncomingMessage, request: S3Request, named: string): S3Answer {
    if (
      /aws-chunked/.test(String(request.headers['content-encoding'])) ||
      'x-amz-decoded-content-length' in request.headers
    ) {
      throw new Error(`${request.method} ${request.key} is framed as aws-chunked, which other servers store as content`)
    }
    const wrong = faultOfSignature(incoming, request.body, KEYS)
    if (wrong !== null) return refusal(wrong)
    return named === bucket ? answer(request, objects, pageSize) : refusal('NoSuchBucket')
  }

  const started: S3Server = {
    endpoint,
    bucket,
    objects,
    requests,
    fault: null,
    env: {
      SLUICE_S3_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return started
}

function showRequest({ method, key, query }: S3Request): string {
  const which = ['uploads', 'uploadId', 'delete', 'list-type'].find((name) => query.has(name))
  return `${method} ${key}${which === undefined ? '' : `?${which}`}`
}

function send(response: ServerResponse, { method }: S3Request, { status, headers, body = '' }: S3Answer): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, { ...headers, 'content-length': bytes.length })
  // An answer to HEAD has the length of the object, and no body.
  response.end(method === 'HEAD' ? undefined : bytes)
}

function cutOff(response: ServerResponse, { status, headers, body = '' }: S3Answer): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, { ...headers, 'content-length': bytes.length })
  response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy())
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
