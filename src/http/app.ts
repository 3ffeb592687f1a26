import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { SluiceError } from '../errors.ts'
import { assertScope, createAuth } from './auth.ts'
import { answerClientErrors } from './client-error.ts'
import { downloadRoutes } from './download-routes.ts'
import { eventRoutes } from './event-routes.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { addIdempotency } from './idempotency.ts'
import { readJsonBodies } from './json-body.ts'
import { collectMethods } from './known-methods.ts'
import { nativeRoutes } from './native/native-routes.ts'
import { openAiRoutes } from './openai/openai-routes.ts'
import { addOpenApi } from './openapi.ts'
import { addOperationRoutes } from './operation-routes.ts'
import { assertPlain } from './plain-body.ts'
import { sendError } from './problem.ts'
import { ANSWERED_HERE, refuseEarly } from './refuse-early.ts'
import { compileCheck } from './request-check.ts'
import { observeRequests, tellFailure } from './request-telemetry.ts'
import { resultsStreamRoutes } from './results-stream-routes.ts'
import { uploadRoutes } from './upload-routes.ts'

/** A group of routes. */
type Routes = (app: App, deps: HttpDeps) => void | Promise<void>

const ROUTES: readonly Routes[] = [
  addOperationRoutes,
  nativeRoutes,
  uploadRoutes,
  resultsStreamRoutes,
  eventRoutes,
  downloadRoutes,
  openAiRoutes,
]

/**
 * Requests are checked by us, and answers are sent as they are: a schema that left something out in silence would hide it from the test that compares the
 * two. Not set on the app: a scope with schemas of its own would fall back on the framework's compilers, and its types know no others.
 */
const COMPILERS = {
  compilersFactory: {
    buildValidator: () => compileCheck,
    buildSerializer: () => () => (answer: unknown) => JSON.stringify(answer),
  },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>

/** Of a part of an address, characters: a key of a row may be long. */
const PARAM_CHARS = 2_048

/**
 * Creates the server with all of its routes; it does not listen yet. Whoever asks is known before a handler runs, and may do what its route is for;
 * whatever goes wrong is told in the shape that the route's callers know.
 */
export async function createApp(deps: HttpDeps): Promise<App> {
  const { config, runtime } = deps
  const app: App = Fastify({
    logger: false,
    bodyLimit: config.limits.bodyBytes,
    genReqId: () => runtime.uuid(),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: PARAM_CHARS },
    schemaController: COMPILERS,
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    clientErrorHandler: answerClientErrors(runtime),
    ...ANSWERED_HERE,
  })
  // Of text nothing is made here; it is a body of another type like all others.
  app.removeContentTypeParser('text/plain')
  observeRequests(app, deps)
  refuseEarly(app)
  readJsonBodies(app)
  const methodsOf = collectMethods(app)
  app.setErrorHandler((thrown, request, reply) => {
    const error = unfinished(thrown, request, reply) ?? thrown
    tellFailure(deps, request, error)
    return sendError(error, request, reply)
  })
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?', 1)
    const methods = methodsOf(path)
    if (methods.length === 0)
      return sendError(new SluiceError('route_not_found', `there is no ${path}`), request, reply)
    void reply.header('allow', methods.join(', '))
    const refusal = new SluiceError(
      'method_not_allowed',
      `${path} takes ${methods.join(', ')}, and no ${request.method}`,
    )
    return sendError(refusal, request, reply)
  })
  await addRefusals(app, deps)
  app.addHook('preValidation', async ({ body, query }) => {
    assertPlain('body', body)
    assertPlain('query', query)
  })
  addIdempotency(app, deps)
  await addOpenApi(app, deps)
  for (const routes of ROUTES) {
    await app.register((scope, _options, done) => {
      Promise.resolve(routes(scope, deps)).then(() => done(), done)
    })
  }
  return app
}

/** Turns away, in this order: what the process has no room for, whom nobody knows, who may not, and who asks too often. */
async function addRefusals(app: App, deps: HttpDeps): Promise<void> {
  const { loopDelayMs, memoryBytes, requestsPerMinute } = deps.config.limits
  await app.register(underPressure, {
    maxEventLoopDelay: loopDelayMs,
    maxRssBytes: memoryBytes,
    retryAfter: 5,
    pressureHandler: (request, _reply, _what, measured) => {
      // Whoever looks whether the server lives gets an answer from its route. Nothing is measured yet where a second has passed without one sample, as
      // it does while everything is loaded.
      if (request.routeOptions.config.scope === undefined || measured === Number.POSITIVE_INFINITY) return
      throw new SluiceError('overloaded', 'the server has more to do than it can')
    },
  })
  const whoAsks = createAuth(deps)
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
    if (request.routeOptions.config.scope === undefined) return
    request.principal = await whoAsks(request)
    assertScope(request)
  })
  // What nobody has to be known for is not counted.
  app.addHook('onRoute', (route) => {
    if (route.config?.scope === undefined) route.config = { ...route.config, rateLimit: false }
  })
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    enableDraftSpec: true,
    keyGenerator: ({ principal: { tenantNo, actor } }) => `${tenantNo} ${actor}`,
    errorResponseBuilder: (_request, { max }) =>
      new SluiceError('rate_limited', `more than ${max} requests came within a minute`),
  })
}

/** What became of a request whose body did not come to its end; `null`: it did, or that is not why it failed. */
function unfinished(error: unknown, { raw }: FastifyRequest, reply: FastifyReply): SluiceError | null {
  if (raw.complete !== false) return null
  const { code } = error as Partial<FastifyError>
  if (code === 'ECONNRESET') return new SluiceError('request_invalid', 'the body broke off')
  if (code !== 'FST_ERR_HANDLER_TIMEOUT') return null
  // What is still to come of it is no request.
  void reply.header('connection', 'close')
  return new SluiceError('request_timeout', 'the body did not come in time')
}
