import { Type } from 'typebox'
import { CAUSES } from '../../domain/failure.ts'
import type { Job, JobId } from '../../domain/job.ts'
import type { Engine, RetryRequest } from '../../engine.ts'
import { namedModel } from '../../spec/resolve-model.ts'
import { exactly, json, oneOfTexts, problem, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { jobJson } from './job-json.ts'
import { JOB, JOB_PATH } from './job-schema.ts'

const RETRY = exactly(
  {
    causes: Type.Optional(
      Type.Array(oneOfTexts(CAUSES), { minItems: 1, description: 'Only rows that failed like this.' }),
    ),
    chunks: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: 1e9 }), {
        minItems: 1,
        maxItems: 1_000,
        description: 'Only rows of these chunks.',
      }),
    ),
    rows: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 2_048 }), {
        minItems: 1,
        maxItems: 1_000,
        description: 'Only these rows.',
      }),
    ),
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Ask this model instead.' })),
  },
  { description: 'Which failed and cancelled rows; rows that meet all of what is given.' },
)

const RETRIED = exactly({ rows: Type.Integer({ description: 'Rows that run again.' }), job: ref(JOB) })

interface Control {
  readonly verb: 'pause' | 'resume' | 'cancel'
  readonly summary: string
  readonly done: string
  readonly change: (engine: Engine, id: JobId) => Promise<Job>
}

const CONTROLS: readonly Control[] = [
  {
    verb: 'pause',
    summary: 'Stop a job; nothing that was paid for is lost',
    done: 'The job: paused, or `wanted` says that it will be once its workers have stopped.',
    change: (engine, id) => engine.pause(id),
  },
  {
    verb: 'resume',
    summary: 'Let a paused job go on',
    done: 'The job, which waits for a worker.',
    change: (engine, id) => engine.resume(id),
  },
  {
    verb: 'cancel',
    summary: 'End a job early; finished rows stay',
    done: 'The job: cancelled, or `wanted` says that it will be.',
    change: (engine, id) => engine.cancel(id),
  },
]

/** Adds the routes that stop jobs, let them go on, and run failed rows again. */
export function jobControlRoutes(app: App, deps: HttpDeps): void {
  const { service, runtime } = deps
  for (const { verb, summary, done, change } of CONTROLS) {
    app.post(
      `/api/v1/jobs/:id/${verb}`,
      {
        config: { scope: 'operate', idempotent: true },
        schema: {
          operationId: `${verb}Job`,
          summary,
          tags: ['jobs'],
          params: JOB_PATH,
          response: {
            200: json(done, ref(JOB)),
            404: problem('No such job.'),
            409: problem('It is in no state for that.'),
          },
        },
      },
      async (request) => {
        const engine = service.engine(request.principal.tenantNo)
        const job = await change(engine, request.params.id)
        await audit(deps, request, `job.${verb}`, job.id)
        return jobJson(await engine.status(job.id), runtime.now())
      },
    )
  }
  app.post(
    '/api/v1/jobs/:id/retry',
    {
      config: { scope: 'operate', idempotent: true },
      schema: {
        operationId: 'retryJob',
        summary: 'Run failed rows again, as a new round',
        tags: ['jobs'],
        params: JOB_PATH,
        body: Type.Optional(RETRY),
        response: {
          200: json('How many rows run again; of none, nothing has changed.', RETRIED),
          400: problem('The body is not one of a retry.'),
          404: problem('No such job.'),
          409: problem('The job is not over.'),
          422: problem('The model is none of this server.'),
        },
      },
    },
    async (request) => {
      const engine = service.engine(request.principal.tenantNo)
      const { job, rows } = await engine.retry(request.params.id, retryRequest(deps, request.body ?? {}))
      await audit(deps, request, 'job.retry', job.id, `${rows} rows`)
      return { rows, job: jobJson(await engine.status(job.id), runtime.now()) }
    },
  )
}

function retryRequest(
  { service }: HttpDeps,
  body: Partial<Record<'model', string>> & Omit<RetryRequest, 'model'>,
): RetryRequest {
  const { model, ...selection } = body
  if (model === undefined) return selection
  return { ...selection, target: namedModel(model, service.allowance) }
}
