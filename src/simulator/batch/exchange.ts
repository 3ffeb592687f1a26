import type { WireReply } from '../ask.ts'

/** A call of a batch API. Its body streams. */
export interface BatchCall {
  readonly method: string
  /** With or without a query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** How the caller names us, such as `http://127.0.0.1:4778`: replies that hold URLs hold it. */
  readonly origin: string
  readonly body: AsyncIterable<Uint8Array>
}

/** What a call is answered; bytes stream, and throw `Cut` where the connection is to break midway. */
export type BatchReply =
  | {
      readonly kind: 'response'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string | AsyncIterable<Uint8Array>
    }
  | { readonly kind: 'reset' }

/** The connection breaks here. */
export class Cut extends Error {
  override readonly name = 'Cut'
}

/** The provider turns a call away, in these words. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly reply: WireReply
  constructor(reply: WireReply) {
    super(`refused with ${reply.status}`)
    this.reply = reply
  }
}

/** The body of a call as JSON; an empty one is an empty object. Throws a `SyntaxError` for what is no object, or is longer than 64 MiB. */
export async function jsonOf(body: AsyncIterable<Uint8Array>): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > 64 * 1024 * 1024) throw new SyntaxError('the body is too long')
    chunks.push(chunk)
  }
  if (bytes === 0) return {}
  const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString())
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>
  throw new SyntaxError('the body is no object')
}

/** A reply of JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): BatchReply {
  return {
    kind: 'response',
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value),
  }
}

/** The call's query. */
export function queryOf({ path }: Pick<BatchCall, 'path'>): URLSearchParams {
  const at = path.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : path.slice(at + 1))
}
