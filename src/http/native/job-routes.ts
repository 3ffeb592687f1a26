import { Type } from 'typebox'
import { JOB_STATES, type JobSettings } from '../../domain/job.ts'
import { parseUsd, toUsd } from '../../domain/money.ts'
import { SluiceError } from '../../errors.ts'
import { exactly, json, nullable, oneOfTexts, pageOf, problem, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { limitOf, PAGE_QUERY, readCursor, writeCursor } from './cursor.ts'
import { jobJson } from './job-json.ts'
import { JOB, JOB_PATH } from './job-schema.ts'

const LIST_QUERY = exactly({
  ...PAGE_QUERY,
  state: Type.Optional(Type.Array(oneOfTexts(JOB_STATES), { description: 'Only these; may be given several times.' })),
  spec: Type.Optional(Type.String({ maxLength: 255, description: 'Only jobs of the spec of this name.' })),
})

const CHANGE = exactly(
  {
    budget_usd: Type.Optional(
      nullable(Type.Number({ exclusiveMinimum: 0, maximum: 9_000_000, description: 'The most that it may cost.' })),
    ),
    budget_tokens: Type.Optional(
      nullable(Type.Integer({ minimum: 1, maximum: 1e15, description: 'The most tokens that it may use.' })),
    ),
    concurrency: Type.Optional(
      nullable(Type.Integer({ minimum: 1, maximum: 10_000, description: 'The most requests in flight.' })),
    ),
    priority: Type.Optional(nullable(oneOfTexts(['high', 'normal', 'low']))),
  },
  { description: 'What is not named stays; null: as the spec says.' },
)

/** Adds the list of jobs, one job, and what may be changed of it. */
export function jobRoutes(app: App, deps: HttpDeps): void {
  const { service, runtime } = deps
  app.get(
    '/api/v1/jobs',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listJobs',
        summary: 'Jobs, newest first',
        tags: ['jobs'],
        querystring: LIST_QUERY,
        response: {
          200: json('A page of jobs.', pageOf(ref(JOB))),
          400: problem('A question that the list does not know.'),
        },
      },
    },
    async ({ principal, query }) => {
      const { items, next } = await service.pages(principal.tenantNo).jobs({
        limit: limitOf(query),
        after: readCursor('job', query.cursor),
        states: query.state ?? null,
        spec: query.spec ?? null,
      })
      return { items: items.map((status) => jobJson(status, runtime.now())), next_cursor: writeCursor('job', next) }
    },
  )
  app.get(
    '/api/v1/jobs/:id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getJob',
        summary: 'A job as it stands: progress, cost, time to go',
        tags: ['jobs'],
        params: JOB_PATH,
        response: { 200: json('The job.', ref(JOB)), 404: problem('No such job.') },
      },
    },
    async ({ principal, params }) => jobJson(await service.engine(principal.tenantNo).status(params.id), runtime.now()),
  )
  app.patch(
    '/api/v1/jobs/:id',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'changeJob',
        summary: 'Change budget, concurrency or priority while a job lives',
        tags: ['jobs'],
        params: JOB_PATH,
        body: CHANGE,
        response: {
          200: json('The job. Workers see the change within a second.', ref(JOB)),
          400: problem('Nothing is to be changed, or not to that.'),
          404: problem('No such job.'),
          422: problem('A budget in dollars cannot be kept with its models.'),
        },
      },
    },
    async (request) => {
      const { body, params, principal } = request
      const settings = settingsOf(body)
      if (Object.keys(settings).length === 0) throw new SluiceError('request_invalid', 'body: nothing is to be changed')
      const engine = service.engine(principal.tenantNo)
      const job = await engine.set(params.id, settings)
      await audit(deps, request, 'job.set', job.id, JSON.stringify(body))
      return jobJson(await engine.status(job.id), runtime.now())
    },
  )
}

function settingsOf(body: {
  readonly budget_usd?: number | null
  readonly budget_tokens?: number | null
  readonly concurrency?: number | null
  readonly priority?: 'high' | 'normal' | 'low' | null
}): Partial<JobSettings> {
  const { budget_usd, budget_tokens, concurrency, priority } = body
  return {
    ...(budget_usd !== undefined && { budgetNano: budget_usd === null ? null : nanoOf(budget_usd) }),
    ...(budget_tokens !== undefined && { budgetTokens: budget_tokens }),
    ...(concurrency !== undefined && { concurrency }),
    ...(priority !== undefined && { priority }),
  }
}

function nanoOf(usd: number): number {
  const nano = parseUsd(String(usd))
  if (nano === null || toUsd(nano) !== usd) {
    throw new SluiceError(
      'request_invalid',
      'body: budget_usd must be dollars such as 20 or 0.25, with at most nine decimals',
    )
  }
  return nano
}
