import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openApi } from './api.ts'
import { spec } from './at-work.ts'
import type { Description } from './openapi.ts'

const RUNS = 25

/** Bodies that are nearly right get further than noise. */
const good: readonly object[] = [
  { spec: spec('a') },
  { spec_name: 'a', version: 1 },
  {
    filename: 'a.csv',
    name: 'a',
    columns_hint: ['a'],
    prompt_template: '{{ a }}',
    schema_hint: { a: 'string' },
    model: 'simulator/a',
  },
  { budget_usd: 1, budget_tokens: 5, concurrency: 3, priority: 'high' },
  { causes: ['unknown'], chunks: [0], rows: ['a'], model: 'simulator/a' },
  { job_id: 'job_a', explain: true },
  { input_file_id: 'file_a', endpoint: '/v1/chat/completions', completion_window: '24h', metadata: { a: 'b' } },
  spec('a'),
]
const noise = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.string().map((text) => ({ [text]: text })),
)
/** A good body in which one value, somewhere, is another. */
const mutated = fc
  .tuple(fc.constantFrom(...good), fc.nat(), noise)
  .map(([body, at, value]) => changedAt(body, at, value))
const part = fc.oneof(
  fc.constantFrom('job_a', 'a', '..', '%2e%2e', 'x'.repeat(300), '%00', '%', "'--", 'ä', '0'),
  fc.string({ minLength: 1 }).map(encodeURIComponent),
)
const query = fc.oneof(
  fc.constant(''),
  fc
    .record({
      name: fc.constantFrom(
        'limit',
        'cursor',
        'state',
        'spec',
        'by',
        'since',
        'from',
        'to',
        'version',
        'model',
        'after',
        'only',
        'format',
        'order',
        'cause',
        'subject',
        'x',
      ),
      value: part,
    })
    .map(({ name, value }) => `?${name}=${value}`),
)
const headers = fc.dictionary(
  fc.constantFrom(
    'if-match',
    'if-none-match',
    'idempotency-key',
    'accept',
    'content-range',
    'range',
    'last-event-id',
    'repr-digest',
  ),
  fc.string({ unit: 'grapheme-ascii' }),
  { maxKeys: 2 },
)

it('nothing that anybody sends makes the server fail', async () => {
  const { app } = await openApi({ config: 'limits:\n  requests_per_minute: 1000000\n' })
  const { job_id } = (await app.inject({ method: 'POST', url: '/api/v1/jobs', payload: { spec: spec('a') } })).json<{
    job_id: string
  }>()
  await app.inject({ method: 'PUT', url: '/api/v1/specs/a', payload: spec('a') })
  const { paths } = app.swagger() as unknown as Description
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      // A stream of a job that waits goes on for as long as that.
      const types = Object.values(operation.responses).flatMap(({ content }) => Object.keys(content ?? {}))
      const endless = types.some((type) => /event-stream|ndjson/.test(type)) && !path.endsWith('dead-letters')
      const id = endless ? part : fc.oneof(part, fc.constant(job_id))
      await fc.assert(
        fc.asyncProperty(
          fc.array(id, { minLength: 3, maxLength: 3 }),
          query,
          headers,
          fc.oneof(noise, mutated),
          async (ids, search, given, body) => {
            let at = 0
            const url = `${path.replace(/\{[^}]+\}/g, () => ids[at++ % 3] ?? 'a')}${search}`
            const payload = method === 'get' || method === 'delete' ? {} : { payload: JSON.stringify(body) }
            const answer = await app.inject({
              method: method.toUpperCase() as 'GET',
              url,
              headers: { ...given, ...('payload' in payload && { 'content-type': 'application/json' }) },
              ...payload,
            })
            expect(
              answer.statusCode,
              `${method} ${url} ${JSON.stringify(body)}\n${answer.body.slice(0, 500)}`,
            ).toBeLessThan(500)
          },
        ),
        { numRuns: RUNS },
      )
    }
  }
})

/** A copy in which the `at`th value, counted through all of it, is `value`. */
function changedAt(body: unknown, at: number, value: unknown): unknown {
  const total = countOf(body)
  let left = at % total
  const walk = (each: unknown): unknown => {
    if (left-- === 0) return value
    if (Array.isArray(each)) return each.map(walk)
    if (typeof each !== 'object' || each === null) return each
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(body)
}

function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return 1 + Object.values(value).reduce((sum: number, each) => sum + countOf(each), 0)
}
