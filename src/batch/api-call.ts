import { type Failure, failure } from '../domain/failure.ts'
import { classifyHeldError, classifyOddReply, classifyRefusal } from '../provider/classify.ts'
import type { Http, HttpBody, HttpReply } from '../provider/http.ts'
import { parseJson } from '../provider/json.ts'
import { classifyNetwork, wasNotHeard } from '../provider/network.ts'
import { retryAfterIn } from '../provider/retry-after.ts'
import type { Rule } from '../provider/rule.ts'
import { isSuccess, textOf, type WireReply } from '../provider/wire.ts'
import { type ApiAnswer, ResultsCut } from './batch-api.ts'

/** The account that is asked. */
export interface ApiAccount {
  readonly http: Http
  /** Sent with every question; they hold the key. */
  readonly headers: Readonly<Record<string, string>>
  /** The provider's errors, in our words. */
  readonly rules: readonly Rule[]
  /** Kept out of every message. */
  readonly key: string | null
  readonly nowMs: () => number
}

export interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Absent: none. A text is JSON. */
  readonly body?: HttpBody
  /** The URL itself says who asks: the key stays here. */
  readonly withoutKey?: boolean
}

export interface Told {
  /** The body as JSON; `undefined`: it is none. */
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
}

/** Questions to one account's batch API, and what may be believed of the answers. */
export interface ApiCall {
  /** `read` gives `null` where the reply makes no sense: then nobody knows what came of the question. Throws what `question.body` throws. */
  ask<T>(question: Question, read: (told: Told) => T | null, signal: AbortSignal): Promise<ApiAnswer<T>>
  /** The blocks of a file. Throws `ResultsCut` for whatever keeps it from coming whole. */
  download(url: string, signal: AbortSignal): AsyncGenerator<Buffer>
  /** An error that a provider put into a reply, for which there is no status. */
  failureIn(error: unknown): Failure
}

/** The most that is read of a reply that is no download: inline results of a small batch stand in some. */
const MOST_REPLY_BYTES = 64 * 1024 * 1024

export function createApiCall(account: ApiAccount): ApiCall {
  const { http, rules, key, nowMs } = account

  const send = ({ method, url, headers, body, withoutKey }: Question, signal: AbortSignal) => {
    const json = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
    const all = { ...(withoutKey === true ? {} : account.headers), ...json, ...headers }
    return http({ method, url, headers: all, body: body ?? null, signal })
  }
  const lost = (thrown: unknown, signal: AbortSignal): Failure =>
    signal.aborted ? failure('cancelled', 'given up before the answer came') : classifyNetwork(thrown, key)
  const failureOf = (reply: WireReply): Failure => {
    if (isSuccess(reply.status)) return classifyOddReply(rules, reply, key).failure
    const told = classifyRefusal(rules, reply, key)
    return { ...told.failure, retryAfterMs: retryAfterIn(reply.headers, nowMs()) ?? told.bodyWaitMs }
  }

  async function ask<T>(
    question: Question,
    read: (told: Told) => T | null,
    signal: AbortSignal,
  ): Promise<ApiAnswer<T>> {
    const source = watched(question.body)
    let reply: WireReply
    try {
      reply = await whole(await send({ ...question, ...source.body }, signal))
    } catch (thrown) {
      source.rethrow()
      const told = lost(thrown, signal)
      return wasNotHeard(thrown) ? { is: 'refused', failure: told, queueFull: false } : { is: 'unknown', failure: told }
    }
    const value = isSuccess(reply.status) ? read({ body: parseJson(textOf(reply)), headers: reply.headers }) : null
    if (value !== null) return { is: 'said', value }
    const told = failureOf(reply)
    if (!saysNothingWasDone(reply.status)) return { is: 'unknown', failure: told }
    return { is: 'refused', failure: told, queueFull: told.cause === 'rate_limited' }
  }

  async function* download(url: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    let refused: WireReply | null = null
    try {
      const reply = await send({ method: 'GET', url }, signal)
      if (isSuccess(reply.status)) yield* reply.body
      else refused = await whole(reply)
    } catch (thrown) {
      throw new ResultsCut(lost(thrown, signal))
    }
    if (refused !== null) throw new ResultsCut(failureOf(refused))
  }

  return Object.freeze({
    ask,
    download,
    failureIn: (error: unknown) => ({ ...classifyHeldError(rules, error, 200, key).failure, status: null }),
  })
}

/**
 * A status by which the provider itself says that it did nothing. A 5xx may come from a gateway behind which the work was done; Anthropic's 529 is
 * said at the door. A 408 says that the request did not arrive whole, but not who says so.
 */
function saysNothingWasDone(status: number): boolean {
  return status === 529 || (status >= 300 && status <= 499 && status !== 408)
}

/** The source of a body, whose own errors are no answer of a provider's. */
function watched(body: HttpBody | undefined) {
  let fault: { readonly error: unknown } | null = null
  const rethrow = () => {
    if (fault !== null) throw fault.error
  }
  if (body === undefined || typeof body === 'string') return { body: body === undefined ? {} : { body }, rethrow }
  const blocks = async function* () {
    try {
      yield* body.blocks()
    } catch (error) {
      fault = { error }
      throw error
    }
  }
  return { body: { body: { bytes: body.bytes, blocks } }, rethrow }
}

async function whole({ status, headers, body }: HttpReply): Promise<WireReply> {
  const blocks: Buffer[] = []
  let bytes = 0
  for await (const block of body) {
    bytes += block.length
    if (bytes > MOST_REPLY_BYTES)
      throw Object.assign(new Error('the reply is too long'), { code: 'ERR_BUFFER_TOO_LARGE' })
    blocks.push(block)
  }
  return { status, headers, body: Buffer.concat(blocks) }
}
