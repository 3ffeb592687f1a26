import { drawOf } from '../draw.ts'
import { isKeyRefused } from '../key.ts'
import type { RequestLog, RequestRecord } from '../request-log.ts'
import { pathOnly } from '../route.ts'
import { type House, SIMULATOR_HEADER } from '../visit.ts'
import { anthropicRoutes } from './anthropic.ts'
import { type Book, createBook } from './book.ts'
import { type BatchCall, type BatchReply, Cut, Refused } from './exchange.ts'
import { geminiRoutes } from './gemini.ts'
import { geminiFileRoutes } from './gemini-files.ts'
import { mistralRoutes } from './mistral.ts'
import { openAiRoutes } from './openai.ts'
import { type BatchReport, reportOf } from './report.ts'
import type { BatchRoute } from './route.ts'
import { createShelf } from './shelf.ts'

/** Where calls of batch APIs are answered. */
export interface BatchDesk {
  /** Whether a call is for here. */
  takes(method: string, path: string): boolean
  /** Answers a call. Rejects with what its body throws while it is read: the client has gone then. */
  handle(call: BatchCall): Promise<BatchReply>
  report(): BatchReport
  /** Resolves when the answers of all batches are worked out whose time has come. */
  settled(): Promise<void>
  /** From now on, requests of batches are written down there, too. */
  logTo(log: RequestLog): void
  close(): Promise<void>
}

/** A desk without any batch. What their requests cost goes to `bill`. */
export function createBatchDesk(house: House, bill: (record: RequestRecord) => void): BatchDesk {
  const book = createBook(house, createShelf(), bill)
  // The longer ways come first: where they end, the others end as well.
  const routes = [
    ...anthropicRoutes(book),
    ...geminiFileRoutes(book),
    ...geminiRoutes(book),
    ...mistralRoutes(book),
    ...openAiRoutes(book),
  ]
  const calls = new Map<string, number>()
  const find = (method: string, path: string) => {
    // Asked for every request, those of the live endpoints above all.
    if (!path.includes('batch') && !path.includes('/files')) return null
    const bare = pathOnly(path)
    const route = routes.find((one) => one.method === method && one.pattern.test(bare))
    return route === undefined ? null : { route, id: decodeURIComponent(route.pattern.exec(bare)?.[1] ?? '') }
  }
  return Object.freeze({
    takes: (method: string, path: string) => find(method, path) !== null,
    handle: async (call: BatchCall) => {
      const found = find(call.method, call.path)
      if (found === null) throw new Error(`no batch API has ${call.method} ${call.path}`)
      const name = `${found.route.provider} ${found.route.name}`
      const nth = (calls.get(name) ?? 0) + 1
      calls.set(name, nth)
      return signed(await answer(book, found.route, call, found.id, nth), found.route, nth)
    },
    report: () => reportOf(book, calls),
    settled: book.settled,
    logTo: book.logTo,
    close: book.close,
  })
}

/** The door, and then the endpoint itself. */
async function answer(book: Book, route: BatchRoute, call: BatchCall, id: string, nth: number): Promise<BatchReply> {
  const { options, answered } = book.house
  const refused = async (kind: 'invalid_key' | 'insufficient_quota' | 'server_error') => {
    await drain(call.body)
    return { kind: 'response', ...route.shape.refuse({ kind }, `sim${nth}`) } as const
  }
  if (isKeyRefused(options, call)) return refused('invalid_key')
  const isCreate = route.name === 'create'
  if (isCreate && options.quotaRequests !== null && answered >= options.quotaRequests)
    return refused('insufficient_quota')
  const { callError } = options.batches
  if (!isCreate && drawOf(options.seed, 'call', route.provider, route.name, nth)() < callError)
    return refused('server_error')
  try {
    return await route.answer(call, id)
  } catch (error) {
    if (error instanceof Cut) return { kind: 'reset' }
    if (error instanceof Refused) return { kind: 'response', ...error.reply }
    if (!(error instanceof SyntaxError)) throw error
    const message = 'We could not parse the JSON body of your request.'
    return { kind: 'response', ...route.shape.refuse({ kind: 'bad_request', message, param: null }, `sim${nth}`) }
  }
}

/** What is sent is taken, also by those who turn it away: a client that still writes would see a broken connection instead of the answer. */
async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body);
}

function signed(reply: BatchReply, { shape }: BatchRoute, nth: number): BatchReply {
  if (reply.kind === 'reset') return reply
  return { ...reply, headers: { ...reply.headers, [shape.requestIdHeader]: `req_simc${nth}`, [SIMULATOR_HEADER]: '1' } }
}
