import type { FastifyRequest } from 'fastify'
import { ERRORS } from '../errors.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { asKnown } from './problem.ts'

/** From which status on a request failed for a reason of our own. */
const OUR_FAULT = 500

/** Tells telemetry why a request is answered as it is, where that is our fault: its caller hears that something went wrong, and no more. */
export function tellFailure({ telemetry }: HttpDeps, request: FastifyRequest, error: unknown): void {
  const { code } = asKnown(error)
  // Expected: nothing went wrong.
  if (ERRORS[code].httpStatus < OUR_FAULT || code === 'overloaded' || code === 'stopping') return
  telemetry.requestFailed({ id: request.id, route: request.routeOptions.url ?? null, error })
}

/** Tells telemetry of each request that ends, answered or not: its route, never its address, which may hold keys of rows. */
export function observeRequests(app: App, { telemetry, runtime }: HttpDeps): void {
  const beganAtMs = new WeakMap<FastifyRequest, number>()
  const tell = (request: FastifyRequest, status: number, end: 'answered' | 'closed') => {
    const began = beganAtMs.get(request)
    if (began === undefined) return
    beganAtMs.delete(request)
    // Routes that anybody may ask know nobody.
    const { actor, tenantName } = request.principal ?? {}
    telemetry.requestEnded({
      id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status,
      ms: runtime.elapsed() - began,
      actor: actor ?? null,
      tenant: tenantName ?? null,
      end,
    })
  }
  app.addHook('onRequest', async (request, reply) => {
    beganAtMs.set(request, runtime.elapsed())
    // A caller that goes away in the middle of an answer gets no `onResponse`.
    reply.raw.once('close', () =>
      tell(request, reply.raw.statusCode, reply.raw.writableFinished ? 'answered' : 'closed'),
    )
  })
}
