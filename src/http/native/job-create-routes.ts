import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { JOB_STATES } from '../../domain/job.ts'
import { SluiceError } from '../../errors.ts'
import { isRecord } from '../../spec/record.ts'
import { exactly, json, nullable, oneOfTexts, problem, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { bodyCheck, compileCheck } from '../request-check.ts'
import { jobJson } from './job-json.ts'
import { JOB, JOB_PATH } from './job-schema.ts'
import { specOfShortForm } from './short-form.ts'
import { assertSpecSize } from './spec-size.ts'

const everyForm = {
  job_key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The same key again is the same job, and no second one: the answer is 200 then.',
    }),
  ),
  columns_hint: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { maxItems: 10_000, description: 'Columns that the input must have.' }),
  ),
}

const SPEC_FORM = exactly(
  {
    spec: Type.Unsafe<object>({ type: 'object', description: 'What a spec file holds: see sluice.schema.json.' }),
    ...everyForm,
  },
  { description: 'A spec, given whole.' },
)
const NAMED_FORM = exactly(
  {
    spec_name: Type.String({ minLength: 1, maxLength: 255 }),
    version: Type.Optional(nullable(Type.Integer({ minimum: 1, description: 'Default: the latest.' }))),
    ...everyForm,
  },
  { description: 'A spec that was published.' },
)
const SHORT_FORM = exactly(
  {
    filename: Type.String({
      pattern: '^[^/\\\\]{1,255}$',
      description: 'What the input is called; its ending says its format.',
    }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Default: the name of the file.' })),
    prompt_template: Type.String({
      minLength: 1,
      description: 'What is asked of each row: a Liquid template over its columns.',
    }),
    schema_hint: Type.Optional(
      Type.Unsafe<Readonly<Record<string, unknown>>>({
        type: 'object',
        description: 'The fields of an answer and their types, or a JSON Schema. Default: the answer is text.',
      }),
    ),
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    ...everyForm,
  },
  { description: 'A job in a few words.' },
)

const CREATE = Type.Unsafe<Static<typeof SPEC_FORM> | Static<typeof NAMED_FORM> | Static<typeof SHORT_FORM>>({
  oneOf: [SPEC_FORM, NAMED_FORM, SHORT_FORM],
})

/** What a body is checked as: the form that its names show, so that each finding is about what was meant. */
const forms = [
  { shows: 'spec', check: bodyCheck(SPEC_FORM) },
  { shows: 'spec_name', check: bodyCheck(NAMED_FORM) },
  { shows: 'filename', check: bodyCheck(SHORT_FORM) },
  { shows: 'prompt_template', check: bodyCheck(SHORT_FORM) },
]

/** A job that was created. */
export const CREATED = exactly(
  {
    job_id: Type.String(),
    state: oneOfTexts(JOB_STATES),
    spec: Type.String({ description: 'Name of the spec.' }),
    spec_hash: Type.String(),
    file_id: nullable(Type.String({ description: 'The file that is to be uploaded; null: none is.' })),
    upload_url: nullable(
      Type.String({
        description: 'Where the input goes by PUT; null: it lies in object storage, or the job was started before.',
      }),
    ),
    notes: Type.Array(Type.String(), { description: 'What is worth knowing though nothing is wrong.' }),
  },
  { $id: 'CreatedJob', description: 'A job that waits for its input, or that has the key already.' },
)

const START_QUERY = exactly({
  model: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: 'Another model than the spec names.' }),
  ),
  plan: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{1,64}$',
      description: 'Start it only if this is its latest plan, and neither the model nor a price has changed since.',
    }),
  ),
})

/** Adds the routes that make jobs, and start them. */
export function jobCreateRoutes(app: App, deps: HttpDeps): void {
  const { service, runtime } = deps
  app.post(
    '/api/v1/jobs',
    {
      config: { scope: 'submit', idempotent: true },
      schema: {
        operationId: 'createJob',
        summary: 'Create a job that waits for its input',
        tags: ['jobs'],
        body: CREATE,
        response: {
          200: json('The job that has this `job_key` already, as it stands.', ref(CREATED)),
          201: json('The job, and where its input goes.', ref(CREATED)),
          400: problem('The body is not one of the forms.'),
          404: problem('No such published spec.'),
          409: problem('The same Idempotency-Key is being answered.'),
          422: problem('The spec has errors; all of them are listed.'),
        },
      },
      validatorCompiler: (route: Parameters<typeof compileCheck>[0]) =>
        route.httpPart === 'body' ? checkForm : compileCheck(route),
    },
    async (request, reply) => {
      const { tenantNo } = request.principal
      const { document, triggerRef } = await documentOf(deps, tenantNo, request.body)
      assertSpecSize(document, deps.config.limits)
      const { job, isOther, fileId, notes } = await service.jobs(tenantNo).create({
        spec: document,
        trigger: 'http',
        triggerRef,
        jobKey: request.body.job_key ?? null,
        id: `job_${request.mintedId}`,
        columnsHint: request.body.columns_hint ?? null,
      })
      if (!isOther) await audit(deps, request, 'job.create', job.id, job.specName)
      void reply.code(isOther ? 200 : 201).header('location', `/api/v1/jobs/${job.id}`)
      return {
        job_id: job.id,
        state: job.state,
        spec: job.specName,
        spec_hash: job.specHash,
        file_id: fileId,
        upload_url: fileId === null ? null : `${addressOf(deps, request)}/api/v1/jobs/${job.id}/input`,
        notes: [...notes],
      }
    },
  )
  app.post(
    '/api/v1/jobs/:id/start',
    {
      config: { scope: 'submit', idempotent: true },
      schema: {
        operationId: 'startJob',
        summary: 'Start a job whose input is there',
        tags: ['jobs'],
        params: JOB_PATH,
        querystring: START_QUERY,
        response: {
          202: json(
            'The job. Its input is read in the background; what is wrong with it is seen on the job.',
            ref(JOB),
          ),
          404: problem('No such job.'),
          409: problem(
            'Its input is not there yet, it was started with another model, or `plan` does not hold any more.',
          ),
          422: problem('What the input shows does not fit the spec.'),
        },
      },
    },
    async (request, reply) => {
      const { tenantNo } = request.principal
      const { model } = request.query
      const job = await service.jobs(tenantNo).begin(request.params.id, request.query)
      await audit(deps, request, 'job.start', job.id, model ?? null)
      void reply.code(202)
      return jobJson(await service.engine(tenantNo).status(job.id), runtime.now())
    },
  )
}

function checkForm(body: unknown) {
  const form = isRecord(body) ? forms.find(({ shows }) => Object.hasOwn(body, shows)) : undefined
  if (form === undefined) {
    const error = new SluiceError('request_invalid', 'body: it names no job to create', {
      hint: 'Give `spec`, or `spec_name`, or `filename` with `prompt_template`.',
    })
    return { error }
  }
  try {
    form.check(body)
    return { value: body }
  } catch (error) {
    return { error: error as Error }
  }
}

/** The spec that a body asks for, and what the job remembers of where it came from. */
async function documentOf(
  { service }: HttpDeps,
  tenantNo: number,
  body: Static<typeof CREATE>,
): Promise<{ readonly document: unknown; readonly triggerRef: string | null }> {
  if ('spec' in body) return { document: body.spec, triggerRef: null }
  if ('filename' in body) return { document: specOfShortForm(body, service.allowance), triggerRef: null }
  const found = await service.specs.version(tenantNo, body.spec_name, body.version ?? null)
  if (found === null) {
    const which = body.version == null ? '' : ` in version ${body.version}`
    throw new SluiceError('spec_not_found', `there is no spec ${JSON.stringify(body.spec_name)}${which} here`)
  }
  return { document: JSON.parse(found.source), triggerRef: `${found.name}@${found.version}` }
}

/** What the server is reached by, as far as the caller showed it. */
function addressOf({ config }: HttpDeps, request: FastifyRequest): string {
  return config.publicUrl ?? `${request.protocol}://${request.host}`
}
