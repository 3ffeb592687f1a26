import { Type } from 'typebox'
import { planJson } from '../../delivery/plan-json.ts'
import { may } from '../../domain/access.ts'
import { findingJson, SluiceError } from '../../errors.ts'
import { exactly, json, mapping, problem, ref } from '../answer.ts'
import { type App, type HttpDeps, LONG_ANSWER_MS } from '../http-deps.ts'
import { FINDING } from '../problem.ts'
import { assertSpecSize } from './spec-size.ts'

/** Plans that one tenant may have made at a time: each reads all of an input. */
const PLANS_AT_A_TIME = 2

const document = mapping('What a spec file holds: see sluice.schema.json.')
const CHECK = exactly({ spec: document })
const PLAN = exactly({
  spec: Type.Optional(document),
  job_id: Type.Optional(
    Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'A job that waits to be started.' }),
  ),
  explain: Type.Optional(
    Type.Boolean({ description: 'Compare the rows to run with the latest earlier job of the spec.' }),
  ),
})
const FINDINGS = Type.Array(ref(FINDING))

/** Adds the routes that say what a spec would do, and spend nothing. */
export function planRoutes(app: App, deps: HttpDeps): void {
  const { service, config } = deps
  app.post(
    '/api/v1/check',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'checkSpec',
        summary: 'Find everything that is wrong with a spec',
        tags: ['plans'],
        body: CHECK,
        response: {
          200: json(
            'What was found. What needs the input is found when that is uploaded.',
            exactly({ ok: Type.Boolean(), findings: FINDINGS }),
          ),
          400: problem('The body holds no spec.'),
          422: problem('A part of the spec is larger than the server takes.'),
        },
      },
    },
    async ({ principal, body }) => {
      assertSpecSize(body.spec, config.limits)
      const { ok, findings } = await service.specDesk(principal.tenantNo).check(body.spec)
      return { ok, findings: findings.map(findingJson) }
    },
  )
  addPlans(app, deps)
}

function addPlans(app: App, { service, config, stopping }: HttpDeps): void {
  const underWay = new Map<number, number>()
  app.post(
    '/api/v1/plans',
    {
      config: { scope: 'read' },
      handlerTimeout: LONG_ANSWER_MS,
      schema: {
        operationId: 'planJob',
        summary: 'Say what a job would do, cost and take',
        description:
          'Scope: `read`. Of a job that waits to be started, with what was uploaded for it; or of a spec whose input lies in object storage. Made by a caller who has the scope `submit` as well, the plan is kept by the job, in place of any before: the alert `cost_over_plan` measures by what it expects, unless the job is started with another model. Made without that scope it changes nothing, and no job can be started by it.',
        tags: ['plans'],
        body: PLAN,
        response: {
          200: json('The plan.', mapping('`sluice.plan/1`: rows, tokens, cost, time.')),
          400: problem('The body names neither a job nor a spec, or both.'),
          404: problem('No such job.'),
          409: problem('The job was started before.'),
          422: problem('The spec has errors, or its input is not there.'),
        },
      },
    },
    async ({ principal, body }, reply) => {
      const { tenantNo } = principal
      const { spec, job_id, explain = false } = body
      if ((spec === undefined) === (job_id === undefined)) {
        throw new SluiceError('request_invalid', 'body: give either job_id or spec')
      }
      if (spec !== undefined) assertSpecSize(spec, config.limits)
      const others = underWay.get(tenantNo) ?? 0
      if (others >= PLANS_AT_A_TIME) {
        void reply.header('retry-after', '10')
        throw new SluiceError('rate_limited', `${others} plans are being made already`)
      }
      underWay.set(tenantNo, others + 1)
      // Not the request's own signal: that one aborts as soon as the body was read.
      const caller = new AbortController()
      reply.raw.once('close', () => caller.abort())
      try {
        const what = job_id === undefined ? { document: spec } : { job: job_id }
        const signal = AbortSignal.any([caller.signal, stopping])
        const { plan } = await service
          .specDesk(tenantNo)
          .plan(what, { explain, keep: may(principal, 'submit'), signal })
        if (plan === null) throw new SluiceError('internal', 'a plan without a pilot came to nothing')
        return planJson(plan)
      } finally {
        underWay.set(tenantNo, (underWay.get(tenantNo) ?? 1) - 1)
      }
    },
  )
}
