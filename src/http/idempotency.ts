import type { FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'
import type { Taken } from '../store/role/requests.ts'
import type { App, HttpDeps } from './http-deps.ts'

/** Whoever took a key and has not answered for so long is taken for dead, and the request is done anew, for the same id. */
const STALE_MS = 10_000

/** Headers that belong to the answer itself, and are given again with it. */
const KEPT_HEADERS = ['content-type', 'location', 'etag']

/** What a key may look like: it is kept, and given to nobody. */
const KEY = /^[\x21-\x7e]{1,255}$/

declare module 'fastify' {
  interface FastifyRequest {
    /** The `Idempotency-Key` that this request holds, and has to answer for. */
    heldKey: string | null
  }
}

/**
 * Makes routes with `config.idempotent` do a request once however often it comes with the same `Idempotency-Key`: the same answer again, with
 * `Idempotency-Replayed: true`; `idempotency_in_flight` while the first is not answered; `idempotency_reused` for another request. An answer that says that the server
 * failed is not kept: the key is given back.
 */
export function addIdempotency(app: App, deps: HttpDeps): void {
  const { service, runtime } = deps
  app.decorateRequest('mintedId', '')
  app.decorateRequest('heldKey', null)
  app.addHook('preHandler', async (request, reply) => {
    request.mintedId = runtime.uuid()
    const key = request.headers['idempotency-key']
    if (request.routeOptions.config.idempotent !== true || key === undefined) return
    const taken = await take(deps, request, String(key))
    if (taken.kind === 'answered') return replay(reply, taken.answer)
    if (taken.kind !== 'mine') throw refusalOf(taken.kind)
    request.mintedId = taken.subject
    request.heldKey = String(key)
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const { heldKey: key, principal } = request
    if (key === null) return payload
    request.heldKey = null
    if (reply.statusCode >= 500 || typeof payload !== 'string') {
      await service.requests.giveBack(principal.tenantNo, key)
      return payload
    }
    const headers = Object.fromEntries(KEPT_HEADERS.map((name) => [name, reply.getHeader(name)]))
    const answer = { status: reply.statusCode, headers: JSON.stringify(headers), body: payload }
    await service.requests.answer(principal.tenantNo, key, answer, runtime.now())
    return payload
  })
}

function take({ service, runtime }: HttpDeps, request: FastifyRequest, key: string): Promise<Taken> {
  if (!KEY.test(key)) {
    throw new SluiceError('request_invalid', 'headers: idempotency-key must be 1 to 255 visible ASCII characters')
  }
  const nowMs = runtime.now()
  return service.requests.take({
    tenantNo: request.principal.tenantNo,
    key,
    fingerprint: sha256(`${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`),
    subject: request.mintedId,
    nowMs,
    staleBeforeMs: nowMs - STALE_MS,
  })
}

function refusalOf(kind: 'busy' | 'other'): SluiceError {
  return kind === 'busy'
    ? new SluiceError('idempotency_in_flight', 'the request with this Idempotency-Key is not answered yet')
    : new SluiceError('idempotency_reused', 'this Idempotency-Key was used for another request')
}

function replay(reply: FastifyReply, { status, headers, body }: Extract<Taken, { kind: 'answered' }>['answer']) {
  const kept = Object.entries(JSON.parse(headers) as Readonly<Record<string, string>>)
  return reply
    .code(status)
    .headers(Object.fromEntries(kept))
    .header('idempotency-replayed', 'true')
    .serializer((text: unknown) => String(text))
    .send(body)
}
