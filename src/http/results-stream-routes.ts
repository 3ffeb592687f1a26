import { Type } from 'typebox'
import { exactly, oneOfTexts, problem } from './answer.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { openStreams } from './open-stream.ts'

const DESCRIPTION = `Result rows as NDJSON, each a line, chunk by chunk as chunks finish, until the job stands still. Each row has one more field,
\`_cursor\`: give the last one that you have as \`after\`, and the stream goes on behind it, with no row twice and none missing. A line that was cut off by a
broken connection does not count. A row that is retried comes again, with its new outcome. Scope: \`read\`.`

/** Result rows as they come about. */
export function resultsStreamRoutes(app: App, deps: HttpDeps): void {
  const streams = openStreams(deps)
  app.get(
    '/api/v1/jobs/:id/results/stream',
    {
      exposeHeadRoute: false,
      config: { scope: 'read' },
      schema: {
        operationId: 'streamResults',
        summary: 'Result rows as chunks finish',
        description: DESCRIPTION,
        tags: ['results'],
        params: exactly({ id: Type.String({ description: 'The id of the job.' }) }),
        querystring: exactly({
          after: Type.Optional(Type.String({ description: 'The `_cursor` of the last row that you have.' })),
          only: Type.Optional(oneOfTexts(['ok', 'failed'], { description: 'Only these rows.' })),
          cursors: Type.Optional(oneOfTexts(['0', '1'], { description: '0: rows without `_cursor`.' })),
          follow: Type.Optional(oneOfTexts(['0', '1'], { description: '0: what is there now, and no more.' })),
        }),
        response: {
          200: { description: 'Rows.', content: { 'application/x-ndjson': { schema: Type.String() } } },
          400: problem('`after` is no cursor.'),
          404: problem('No such job.'),
          409: problem('Its rows are not kept any more.'),
        },
      },
    },
    async (request, reply) => {
      const { after, only, cursors, follow } = request.query
      const { signal, send } = await streams.open(request, reply, 'rows')
      const rows = await deps.service.transfers(request.principal.tenantNo).rows(request.params.id, {
        after: after ?? null,
        ...(only && { only }),
        cursors: cursors !== '0',
        follow: follow !== '0',
        signal,
      })
      void reply.type('application/x-ndjson').headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
      return send(rows)
    },
  )
}
