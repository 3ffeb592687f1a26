import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { attemptDocument } from '../../delivery/dead-letters.ts'
import { CHUNK_STATES } from '../../domain/chunk.ts'
import { stringifyExact } from '../../domain/exact-json.ts'
import { CAUSES } from '../../domain/failure.ts'
import { OUTCOME_STATES, type Value } from '../../domain/row.ts'
import { SluiceError } from '../../errors.ts'
import { exactly, json, mapping, oneOfTexts, pageOf, problem, ref } from '../answer.ts'
import { type App, type HttpDeps, LONG_ANSWER_MS } from '../http-deps.ts'
import { preferred } from './accept.ts'
import { limitOf, PAGE_QUERY, readNumberCursor, writeCursor } from './cursor.ts'
import { chunkJson, rowJson } from './job-json.ts'
import { CHUNK, JOB_PATH, ROW, ROW_IN_FULL } from './job-schema.ts'

const CHUNKS_QUERY = exactly({ ...PAGE_QUERY, state: Type.Optional(Type.Array(oneOfTexts(CHUNK_STATES))) })
const ROWS_QUERY = exactly({
  ...PAGE_QUERY,
  state: Type.Optional(Type.Array(oneOfTexts(OUTCOME_STATES))),
  cause: Type.Optional(oneOfTexts(CAUSES)),
})
const ROW_PATH = exactly({
  id: JOB_PATH.properties.id,
  key: Type.String({
    minLength: 1,
    maxLength: 2_048,
    pattern: '^[^\\u0000]*$',
    description: 'The value of `input.key`, or the index.',
  }),
})
const CAUSE_QUERY = exactly({
  cause: Type.Optional(oneOfTexts(CAUSES, { description: 'Only rows that failed like this.' })),
})

const REPORTS = ['application/json', 'text/markdown'] as const

/** Rows hold integers that only this writes as they were. */
const exactJson = () => (answer: unknown) => stringifyExact(answer as Value)

/** Adds the routes that look inside of a job: chunks, rows, dead letters, its report. */
export function lookRoutes(app: App, deps: HttpDeps): void {
  addChunks(app, deps)
  addRows(app, deps)
  addDeadLetters(app, deps)
  addReport(app, deps)
}

function addChunks(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/jobs/:id/chunks',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listChunks',
        summary: "A job's chunks, in order",
        tags: ['jobs'],
        params: JOB_PATH,
        querystring: CHUNKS_QUERY,
        response: { 200: json('A page of chunks.', pageOf(ref(CHUNK))), 404: problem('No such job.') },
      },
    },
    async ({ principal, params, query }) => {
      const { items, next } = await service.pages(principal.tenantNo).chunks(params.id, {
        limit: limitOf(query),
        from: readNumberCursor('chunk', query.cursor) ?? 0,
        states: query.state ?? null,
      })
      return { items: items.map(chunkJson), next_cursor: writeCursor('chunk', next) }
    },
  )
}

function addRows(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/jobs/:id/rows',
    {
      config: { scope: 'read' },
      serializerCompiler: exactJson,
      schema: {
        operationId: 'listRows',
        summary: 'Rows that have their outcome, in input order',
        description: 'Scope: `read`. A page may hold fewer rows than asked for, and still have a next one.',
        tags: ['results'],
        params: JOB_PATH,
        querystring: ROWS_QUERY,
        response: {
          200: json('A page of rows.', pageOf(ref(ROW))),
          404: problem('No such job.'),
          409: problem('Its rows were cleaned up.'),
        },
      },
    },
    async ({ principal, params, query }) => {
      const { items, next } = await service.pages(principal.tenantNo).rows(params.id, {
        limit: limitOf(query),
        from: readNumberCursor('row', query.cursor) ?? 0,
        states: query.state ?? null,
        cause: query.cause ?? null,
      })
      return { items: items.map(rowJson), next_cursor: writeCursor('row', next) }
    },
  )
  app.get(
    '/api/v1/jobs/:id/rows/:key',
    {
      config: { scope: 'read' },
      serializerCompiler: exactJson,
      schema: {
        operationId: 'getRow',
        summary: 'One row: its input, what came of it, and every attempt',
        tags: ['results'],
        params: ROW_PATH,
        response: {
          200: json('The row.', ref(ROW_IN_FULL)),
          404: problem('No such job, or no such row in it.'),
          409: problem('Its rows were cleaned up.'),
        },
      },
    },
    async ({ principal, params }) => {
      const { outcome, input, attempts } = await service.engine(principal.tenantNo).row(params.id, params.key)
      return {
        row_id: outcome?.rowId ?? params.key,
        input,
        last_reply: outcome?.reply ?? null,
        outcome: outcome === null ? null : rowJson(outcome),
        attempts: attempts.map(attemptDocument),
      }
    },
  )
}

function addDeadLetters(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/jobs/:id/dead-letters',
    {
      config: { scope: 'read' },
      handlerTimeout: LONG_ANSWER_MS,
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Rows that gave up, with all that is known of each',
        tags: ['results'],
        params: JOB_PATH,
        querystring: CAUSE_QUERY,
        response: {
          200: {
            description: 'A row a line, in input order: input, cause, last reply, attempts.',
            content: { 'application/x-ndjson': { schema: Type.String() } },
          },
          404: problem('No such job.'),
          409: problem('Its rows were cleaned up.'),
        },
      },
    },
    async ({ principal, params, query }, reply) => {
      const engine = service.engine(principal.tenantNo)
      // What is wrong with the job is to be told as an error, and not in the middle of an answer.
      await service.pages(principal.tenantNo).rows(params.id, { limit: 1, from: 0, states: ['failed'], cause: null })
      return reply.type('application/x-ndjson').send(Readable.from(engine.deadLetters(params.id, query.cause)))
    },
  )
}

function addReport(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/jobs/:id/report',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getReport',
        summary: 'The completion report of a job as it stands: verdict, causes, cost',
        tags: ['results'],
        params: JOB_PATH,
        response: {
          200: {
            description: 'As JSON, or as Markdown where `Accept` says so.',
            content: {
              'application/json': { schema: mapping('The report, `sluice.report/1`.') },
              'text/markdown': { schema: Type.String() },
            },
          },
          404: problem('No such job.'),
          406: problem('It is not there in any form that is accepted; there is no HTML.'),
        },
      },
    },
    async ({ principal, params, headers }, reply) => {
      const type = preferred(headers.accept, REPORTS)
      if (type === null) {
        throw new SluiceError('not_acceptable', `the report is there as ${REPORTS.join(' and ')}`)
      }
      const format = type === 'text/markdown' ? 'md' : 'json'
      const report = await service.engine(principal.tenantNo).report(params.id, format)
      return reply.header('vary', 'accept').type(`${type}; charset=utf-8`).serializer(String).send(report)
    },
  )
}
