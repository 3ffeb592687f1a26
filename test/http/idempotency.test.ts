import { expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { sha256 } from '../../src/runtime.ts'
import type { Service } from '../../src/service.ts'
import { bearer, openApi } from './api.ts'
import { spec } from './at-work.ts'
import { describedBy } from './openapi.ts'

const create = (name: string, key: string) =>
  ({ method: 'POST', url: '/api/v1/jobs', payload: { spec: spec(name) }, headers: { 'idempotency-key': key } }) as const

it('gives the same answer again to the same request, and makes one job', async () => {
  const { app } = await openApi()
  const ask = describedBy(app)
  const first = await ask(create('labels', 'a'))
  const again = await ask(create('labels', 'a'))
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect([again.statusCode, again.body, again.headers.location]).toEqual([201, first.body, first.headers.location])
  expect([again.headers['idempotency-replayed'], again.headers['content-type']]).toEqual([
    'true',
    first.headers['content-type'],
  ])
  const other = await ask(create('labels', 'b'))
  expect(other.json<{ job_id: string }>().job_id).not.toBe(first.json<{ job_id: string }>().job_id)
  expect((await ask({ method: 'GET', url: '/api/v1/jobs' })).json<{ items: object[] }>().items).toHaveLength(2)
})

it('keeps a refusal too, refuses the key for another request, and a key that is none', async () => {
  const { app } = await openApi()
  const ask = describedBy(app)
  const wrong = { ...create('labels', 'a'), payload: { spec: { name: 'x' } } }
  expect((await ask(wrong)).statusCode).toBe(422)
  const again = await ask(wrong)
  expect([again.statusCode, again.headers['idempotency-replayed'], again.headers['content-type']]).toEqual([
    422,
    'true',
    'application/problem+json',
  ])
  const other = await ask(create('labels', 'a'))
  expect([other.statusCode, other.json<{ code: string }>().code]).toEqual([422, 'idempotency_reused'])
  expect((await ask(create('labels', 'ä b'))).json()).toMatchObject({ code: 'request_invalid' })
  expect((await ask(create('labels', 'x'.repeat(256)))).statusCode).toBe(400)
})

it('says so while the first is not answered, and lets it be repeated once its server is taken for dead, for the same job', async () => {
  const { app, runtime } = await openApi()
  const ask = describedBy(app)
  const first = await ask(create('labels', 'a'))
  const { job_id } = first.json<{ job_id: string }>()
  const clock = { ms: runtime.now() }
  const late = await openApi({ runtime: { now: () => clock.ms } })
  const take = { tenantNo: 1, key: 'b', subject: job_id.slice(4), nowMs: clock.ms, staleBeforeMs: clock.ms - 10_000 }
  const fingerprint = sha256(`POST /api/v1/jobs\n${JSON.stringify(create('labels', 'b').payload)}`)
  expect(await late.service.requests.take({ ...take, fingerprint })).toMatchObject({ kind: 'mine' })
  const askLate = describedBy(late.app)
  const busy = await askLate(create('labels', 'b'))
  expect([busy.statusCode, busy.json<{ code: string }>().code, busy.headers['retry-after']]).toEqual([
    409,
    'idempotency_in_flight',
    '1',
  ])
  clock.ms += 10_001
  const taken = await askLate(create('labels', 'b'))
  expect([taken.statusCode, taken.json<{ job_id: string }>().job_id]).toEqual([201, job_id])
})

it('keeps no answer that says that the server failed: the same request may be sent again, for the same job', async () => {
  const ids: string[] = []
  const failsOnce = (service: Service): Service => ({
    ...service,
    jobs: (tenantNo) => ({
      ...service.jobs(tenantNo),
      async create(request) {
        ids.push(request.id)
        if (ids.length === 1) throw new StorageFailure('busy', 'canary of the store')
        return service.jobs(tenantNo).create(request)
      },
    }),
  })
  const { app } = await openApi({ seen: failsOnce })
  const ask = describedBy(app)
  const failed = await ask(create('labels', 'a'))
  expect([failed.statusCode, failed.headers['retry-after']]).toEqual([503, '5'])
  expect(failed.body).not.toContain('canary')
  const again = await ask(create('labels', 'a'))
  expect([again.statusCode, again.headers['idempotency-replayed']]).toEqual([201, undefined])
  expect(ids).toEqual([ids[0], ids[0]])
})

it('does a request that comes many times at once one time', async () => {
  const { app } = await openApi()
  const answers = await Promise.all(Array.from({ length: 12 }, () => app.inject(create('labels', 'a'))))
  const made = answers.filter(({ statusCode }) => statusCode === 201)
  expect(new Set(made.map(({ body }) => body)).size).toBe(1)
  expect(answers.every(({ statusCode }) => statusCode === 201 || statusCode === 409)).toBe(true)
  expect((await app.inject({ url: '/api/v1/jobs' })).json<{ items: object[] }>().items).toHaveLength(1)
})

it('keeps the keys of tenants apart', async () => {
  const { app, key, tenant } = await openApi()
  const [one, other] = [bearer(await key()), bearer(await key(['admin'], await tenant('other')))]
  const ask = (who: object) => app.inject({ ...create('labels', 'a'), headers: { 'idempotency-key': 'a', ...who } })
  const [a, b] = [await ask(one), await ask(other)]
  expect([a.statusCode, b.statusCode]).toEqual([201, 201])
  expect(a.body).not.toBe(b.body)
})
