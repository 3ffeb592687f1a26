import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../../../shared/data/recordings')

/** Whether the recordings are here; they are no part of the project. */
export const HAS_RECORDINGS = existsSync(join(root, 'flows'))

export interface Interaction {
  readonly request: { readonly method: string; readonly url: string; readonly body: string | null }
  readonly response: { readonly status: number; readonly body: string }
}

/** What somebody's client and a provider said to each other, from first to last. */
export function readFlow(name: string): readonly Interaction[] {
  const { interactions } = JSON.parse(readFileSync(join(root, 'flows', `${name}.json`), 'utf8')) as {
    interactions: Interaction[]
  }
  return interactions
}

/** A body that somebody reported. */
export function readReported(name: string): unknown {
  const { response } = JSON.parse(readFileSync(join(root, 'reported', `${name}.json`), 'utf8')) as {
    response: { body: string }
  }
  return JSON.parse(response.body)
}

export interface ReplayServer {
  /** Without a path. */
  readonly url: string
  /** Bodies that were posted, by path. */
  readonly posted: ReadonlyMap<string, readonly string[]>
  close(): Promise<void>
}

const keyOf = (method: string, url: string) => `${method} ${new URL(url, 'http://any').pathname}`

/** A server that says what was recorded: to each question in turn what it was answered then; the last answer again, where it is asked more often. */
export async function replayServer(
  flow: readonly Interaction[],
  more: Readonly<Record<string, { status?: number; headers?: Record<string, string>; body: string }>> = {},
): Promise<ReplayServer> {
  const answers = new Map<string, Interaction['response'][]>()
  for (const { request, response } of flow) {
    const key = keyOf(request.method, request.url)
    answers.set(key, [...(answers.get(key) ?? []), response])
  }
  const posted = new Map<string, string[]>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const key = keyOf(request.method ?? '', request.url ?? '')
      if (request.method === 'POST') {
        const path = key.slice('POST '.length)
        posted.set(path, [...(posted.get(path) ?? []), Buffer.concat(chunks).toString()])
      }
      const waiting = answers.get(key)
      const own = more[key]
      const answer = (waiting !== undefined && waiting.length > 1 ? waiting.shift() : waiting?.[0]) ?? own
      if (answer === undefined) return void response.writeHead(404).end(`{"error":{"message":"not recorded: ${key}"}}`)
      const origin = `http://${request.headers.host}`
      const headers = Object.entries(own?.headers ?? {}).map(([name, value]) => [name, value.replace('ORIGIN', origin)])
      response.writeHead(answer.status ?? 200, Object.fromEntries(headers)).end(answer.body)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posted,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
