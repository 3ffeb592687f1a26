import { Type } from 'typebox'
import { firstDay } from '../../domain/ledger.ts'
import { costFigures } from '../../engine/look-json.ts'
import type { CostKey } from '../../engine.ts'
import { SluiceError } from '../../errors.ts'
import { exactly, json, moment, nullable, pageOf, problem, ref } from '../answer.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { limitOf, PAGE_QUERY, readNumberCursor, writeCursor } from './cursor.ts'

const whole = Type.Integer({ minimum: 0 })
const FIGURES = {
  attempts: whole,
  open: Type.Integer({ minimum: 0, description: 'Sent and not answered yet; they count in nothing else.' }),
  tokens: exactly({ input: whole, cached: whole, cache_write: whole, output: whole, reasoning: whole }),
  cost_usd: nullable(Type.Number({ description: 'null: no price is known.' })),
  lower_bound: Type.Boolean({ description: 'The price of some attempts is not known.' }),
  without_accepted_answer_usd: Type.Number({
    description: 'Of the cost: of attempts that brought no accepted answer.',
  }),
  lost_usd: Type.Number(),
  orphaned_usd: Type.Number(),
}
const COSTS_QUERY = exactly({
  by: Type.Optional(
    Type.String({
      pattern: '^(team|spec|model|day|tag\\.[^\\u0000]{1,128})$',
      default: 'spec',
      description: '`team`, `spec`, `model`, `day`, or `tag.NAME`.',
    }),
  ),
  since: Type.Optional(
    Type.String({
      pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$',
      description: 'Only attempts from this UTC day on: `2026-11-22`.',
    }),
  ),
})
const COSTS = exactly({
  by: Type.String(),
  since: nullable(Type.String()),
  lines: Type.Array(exactly({ key: nullable(Type.String()), ...FIGURES })),
  total: exactly(FIGURES),
})
const AUDIT_QUERY = exactly({
  ...PAGE_QUERY,
  subject: Type.Optional(Type.String({ maxLength: 255, description: 'Only what was done to this.' })),
})
/** One line of who did what. */
export const AUDIT_ENTRY = exactly(
  {
    at: moment('When.'),
    actor: Type.String({ description: '`key:key_…`, `jwt:…`, `local` or `cli`.' }),
    action: Type.String({ description: '`job.create`, `job.cancel`, …' }),
    subject: Type.String({ description: 'Id of what it was done to.' }),
    detail: nullable(Type.String()),
  },
  { $id: 'AuditEntry' },
)

/** Adds the routes about a tenant as a whole: what it has spent, and who did what. */
export function accountRoutes(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/costs',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getCosts',
        summary: 'What all jobs have cost, rolled up',
        tags: ['account'],
        querystring: COSTS_QUERY,
        response: {
          200: json('The ledger, rolled up: the total is the sum of the lines.', COSTS),
          400: problem('A question that it does not know.'),
        },
      },
    },
    async ({ principal, query }) => {
      const by = (query.by ?? 'spec') as CostKey
      if (query.since !== undefined && Number.isNaN(firstDay(query.since)))
        throw new SluiceError('request_invalid', `query: since must be a day, and there is no ${query.since}`)
      const report = await service.engine(principal.tenantNo).costs({ by, since: query.since ?? null })
      return {
        by: report.by,
        since: report.since,
        lines: report.lines.map((line) => ({ key: line.key, ...costFigures(line) })),
        total: costFigures(report.total),
      }
    },
  )
  app.get(
    '/api/v1/audit',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'listAudit',
        summary: 'Who did what, newest first',
        tags: ['account'],
        querystring: AUDIT_QUERY,
        response: { 200: json('A page of entries.', pageOf(ref(AUDIT_ENTRY))) },
      },
    },
    async ({ principal, query }) => {
      const before = readNumberCursor('audit', query.cursor)
      const limit = limitOf(query)
      const found = await service.audit.list(principal.tenantNo, {
        limit: limit + 1,
        ...(before !== null && { before }),
        ...(query.subject !== undefined && { subject: query.subject }),
      })
      const items = found.slice(0, limit)
      const next = found.length > limit ? (items.at(-1)?.entryNo ?? null) : null
      return {
        items: items.map(({ atMs, actor, action, subject, detail }) => ({
          at: new Date(atMs).toISOString(),
          actor,
          action,
          subject,
          detail,
        })),
        next_cursor: writeCursor('audit', next),
      }
    },
  )
}
