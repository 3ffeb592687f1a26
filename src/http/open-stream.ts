import { finished, Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../errors.ts'
import type { StreamKind } from '../telemetry/telemetry.ts'
import { createAuth } from './auth.ts'
import type { HttpDeps } from './http-deps.ts'
import { createTurns } from './turns.ts'

/** Bytes that lie ready for one reader, besides what the socket holds. */
const READY_BYTES = 16 * 1024

/** Blocks that are made in one turn of the event loop, of all streams together: others are answered between. */
const BLOCKS_A_TURN = 1

/** How often it is asked whether a caller who is being answered would still be let in, ms. */
const ASK_AGAIN_MS = 15_000

/** A long answer to one caller. */
export interface OpenStream {
  /** Aborts when the caller leaves, or is not let in any more, or the server stops. */
  readonly signal: AbortSignal
  /** Sends what is given as it is taken. The headers go at once; when the server stops, the answer ends where it is, in order. */
  send(blocks: AsyncIterable<Buffer>): FastifyReply
}

/** Counts the streams that each tenant holds open in one process. */
export interface Streams {
  /** Takes one of the tenant's streams for this answer, which gives it back when it is over. Rejects with `rate_limited` where it has no more. */
  open(request: FastifyRequest, reply: FastifyReply, kind: StreamKind): Promise<OpenStream>
}

const streamsOf = new WeakMap<HttpDeps, Streams>()

/** The streams of a server: one count for all of its routes. */
export function openStreams(deps: HttpDeps): Streams {
  const known = streamsOf.get(deps)
  if (known !== undefined) return known
  const streams = createStreams(deps)
  streamsOf.set(deps, streams)
  return streams
}

function createStreams(deps: HttpDeps): Streams {
  const { config, telemetry, stopping } = deps
  const whoAsks = createAuth(deps)
  const held = new Map<number, number>()
  const most = config.limits.streamsPerTenant
  const turn = createTurns(BLOCKS_A_TURN)
  return Object.freeze({
    async open(request: FastifyRequest, reply: FastifyReply, kind: StreamKind) {
      const { tenantNo } = request.principal
      const now = held.get(tenantNo) ?? 0
      if (now >= most) {
        void reply.header('retry-after', '5')
        throw new SluiceError('rate_limited', `${most} streams are open already`, {
          hint: 'Close one of them; a stream can be shared, or continued later.',
        })
      }
      held.set(tenantNo, now + 1)
      const ended = telemetry.streamOpened(kind)
      const left = new AbortController()
      finished(reply.raw, () => {
        left.abort(new Error('the caller has left'))
        ended()
        const rest = (held.get(tenantNo) ?? 1) - 1
        if (rest === 0) held.delete(tenantNo)
        else held.set(tenantNo, rest)
      })
      const signal = AbortSignal.any([stopping, left.signal])
      void untilRefused(() => whoAsks(request), signal, deps).then((error) => error !== null && left.abort(error))
      await turn()
      return {
        signal,
        send(blocks: AsyncIterable<Buffer>) {
          const answer = untilAborted(blocks, signal, {
            turn,
            begin: () => reply.raw.flushHeaders(),
            // Too late for another answer: the stream breaks off, and the operator hears why.
            fail: (error) =>
              telemetry.requestFailed({ id: request.id, route: request.routeOptions.url ?? null, error }),
          })
          return reply.send(Readable.from(answer, { objectMode: false, highWaterMark: READY_BYTES }))
        },
      }
    },
  })
}

/** Waits until the caller would not be let in any more: a key that was revoked, a token that ran out. `null`: the signal came first. */
async function untilRefused(
  ask: () => Promise<unknown>,
  signal: AbortSignal,
  { runtime }: Pick<HttpDeps, 'runtime'>,
): Promise<SluiceError | null> {
  for (;;) {
    await runtime.sleep(ASK_AGAIN_MS, signal, { unref: true }).catch(() => undefined)
    if (signal.aborted) return null
    const error: unknown = await ask().then(
      () => null,
      (refusal: unknown) => refusal,
    )
    // A store that does not answer for a moment says nothing against the caller.
    if (error instanceof SluiceError && error.code === 'unauthorized') return error
  }
}

/** What comes, until the signal aborts: then it ends as if that were all. */
async function* untilAborted(
  blocks: AsyncIterable<Buffer>,
  signal: AbortSignal,
  {
    begin,
    turn,
    fail,
  }: {
    readonly begin: () => void
    readonly turn: () => Promise<void>
    readonly fail: (error: unknown) => void
  },
): AsyncGenerator<Buffer> {
  begin()
  try {
    for await (const block of blocks) {
      yield block
      if (signal.aborted) return
      await turn()
    }
  } catch (error) {
    if (signal.aborted) return
    fail(error)
    throw error
  }
}
