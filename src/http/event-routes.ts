import { Type } from 'typebox'
import type { Runtime } from '../runtime.ts'
import type { JobEvent } from '../service.ts'
import { exactly, problem } from './answer.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { openStreams } from './open-stream.ts'

/** After so long without an event a comment is sent, so that nobody on the way takes the connection for dead. */
const HEARTBEAT_MS = 15_000
/** How soon a browser is to connect again. */
const RETRY_MS = 2_000

const DESCRIPTION = `Server-sent events of the job and of its chunks, in the order in which they came about, until the job is over:
\`job.state\`, \`job.settings\`, \`job.route\`, \`job.budget\`, \`job.alert\`, \`chunk.done\`. A client that comes again with \`Last-Event-ID\` (browsers do so by themselves), or
with it as \`after\`, misses none and gets none twice. 204 says that the job is over, and that there is nothing more: then do not ask again. Scope: \`read\`.`

/** What happens to a job, as it happens. */
export function eventRoutes(app: App, deps: HttpDeps): void {
  const streams = openStreams(deps)
  app.get(
    '/api/v1/jobs/:id/events',
    {
      exposeHeadRoute: false,
      config: { scope: 'read' },
      schema: {
        operationId: 'streamEvents',
        summary: 'Events of a job and its chunks',
        description: DESCRIPTION,
        tags: ['jobs'],
        params: exactly({ id: Type.String({ description: 'The id of the job.' }) }),
        querystring: exactly({
          after: Type.Optional(Type.String({ description: 'The id of the last event that you have.' })),
        }),
        headers: Type.Object({
          'last-event-id': Type.Optional(Type.String({ description: 'As `after`, and before it.' })),
        }),
        response: {
          200: { description: 'Events.', content: { 'text/event-stream': { schema: Type.String() } } },
          204: { description: 'The job is over, and there is nothing more.', type: 'null' },
          400: problem('No id of an event of this job.'),
          404: problem('No such job.'),
        },
      },
    },
    async (request, reply) => {
      const { signal, send } = await streams.open(request, reply, 'events')
      const after = request.headers['last-event-id'] || request.query.after || null
      const desk = deps.service.transfers(request.principal.tenantNo)
      const events = await desk.events(request.params.id, { after, signal })
      if (events === null) return reply.code(204).send(null)
      void reply.type('text/event-stream').headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
      return send(serverSent(events, deps.runtime))
    },
  )
}

/** Events in the form of the HTML standard: https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* serverSent(events: AsyncIterable<readonly JobEvent[]>, runtime: Runtime): AsyncGenerator<Buffer> {
  yield Buffer.from(`retry: ${RETRY_MS}\n\n`)
  const iterator = events[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    for (;;) {
      const came = await within(next, runtime)
      if (came === null) yield Buffer.from(':\n\n')
      else if (came.done === true) return
      else {
        yield Buffer.from(came.value.map(eventText).join(''))
        next = iterator.next()
      }
    }
  } finally {
    // Whoever waits for the next event may wait for long.
    iterator.return?.().catch(() => undefined)
  }
}

function eventText({ id, type, data }: JobEvent): string {
  return `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`
}

/** What comes within the time of a heartbeat; `null`: nothing did. */
async function within<T>(next: Promise<T>, runtime: Runtime): Promise<T | null> {
  const came = new AbortController()
  const beat = runtime.sleep(HEARTBEAT_MS, came.signal, { unref: true }).catch(() => undefined)
  try {
    return await Promise.race([next, beat.then(() => null)])
  } finally {
    came.abort()
  }
}
