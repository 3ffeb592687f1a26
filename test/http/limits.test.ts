import { expect, it, vi } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { asKnown, problemOf } from '../../src/http/problem.ts'
import { bearer, openApi } from './api.ts'
import { spec } from './at-work.ts'
import { describedBy } from './openapi.ts'

const LIMITS =
  'limits:\n  body: 20kB\n  template_chars: 100\n  schema: 1kB\n  schema_depth: 4\n  requests_per_minute: 5\n'

it('refuses what is larger than the server takes, before it looks into it', async () => {
  const { app, key } = await openApi({ config: LIMITS })
  const keys = [bearer(await key()), bearer(await key())]
  const ask = describedBy(app)
  const create = (payload: string | object, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    ask({ method: 'POST', url: '/api/v1/jobs', payload, headers: { ...keys[0], ...headers } })
  const large = await create({ spec: spec('x', { description: 'x'.repeat(30_000) }) })
  expect([large.statusCode, large.json<{ code: string }>().code]).toEqual([413, 'body_too_large'])
  const long = await create({ spec: spec('x', { prompt: { user: 'y'.repeat(101) } }) })
  expect(long.json()).toMatchObject({
    status: 422,
    code: 'spec_invalid',
    detail: 'prompt.user has 101 characters; this server takes 100',
  })
  const wide = {
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`p${at}`, { type: 'string' }])),
  }
  expect(
    (await create({ filename: 'a.csv', prompt_template: 'x', model: 'simulator/a', schema_hint: wide })).json(),
  ).toMatchObject({ detail: expect.stringContaining('bytes; this server takes 1000') as string })
  const deep = { a: { b: { c: { d: { e: 'string' } } } } }
  expect(
    (await create({ filename: 'a.csv', prompt_template: 'x', model: 'simulator/a', schema_hint: deep })).json(),
  ).toMatchObject({ detail: 'output.fields is 5 levels deep; this server takes 4' })
  expect((await create('a: b', { 'content-type': 'application/yaml' })).statusCode).toBe(415)

  // The sixth within a minute is one too many for this key, and none for the other.
  const sixth = await create({})
  expect([sixth.statusCode, sixth.json<{ code: string }>().code]).toEqual([429, 'rate_limited'])
  expect(Number(sixth.headers['retry-after'])).toBeGreaterThan(0)
  expect((await ask({ method: 'GET', url: '/api/v1/jobs', headers: keys[1] ?? {} })).statusCode).toBe(200)
})

it('refuses bodies that would break whatever walks them, or no database takes', async () => {
  const { app } = await openApi()
  const ask = describedBy(app)
  const check = (payload: string) =>
    ask({ method: 'POST', url: '/api/v1/check', payload, headers: { 'content-type': 'application/json' } })
  const nested = `{"spec":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`
  expect((await check(nested)).json()).toMatchObject({
    status: 400,
    detail: 'body: it is nested deeper than 64 levels',
  })
  expect((await check('{"spec":{"name":"a\\u0000b"}}')).json()).toMatchObject({
    detail: 'body: a text holds the character NUL',
  })
  expect((await check('{"spec":{"a\\u0000b":1}}')).json()).toMatchObject({
    detail: 'body: a name holds the character NUL',
  })
  expect((await check('{"spec":')).json()).toMatchObject({ detail: 'the body is no JSON' })
  expect((await check('')).json()).toMatchObject({ status: 400, detail: 'body: there is none' })
  expect((await check('{"spec":{"__proto__":{"admin":true}}}')).statusCode).toBe(400)
  expect((await ask({ method: 'GET', url: '/api/v1/specs/%00' })).statusCode).toBe(400)
  expect((await ask({ method: 'GET', url: '/api/v1/jobs?spec=%00' })).statusCode).toBe(400)
})

it('says of a place that is not there, in any spelling, that it is not', async () => {
  const { app } = await openApi()
  for (const url of ['/', '/api', '/api/v2/jobs', '/api/v1/jobs/a/b/c', '/%', `/api/v1/jobs/${'x'.repeat(3_000)}`]) {
    const { statusCode, headers } = await app.inject({ url })
    expect([400, 404]).toContain(statusCode)
    expect(headers['content-type']).toBe('application/problem+json')
  }
  expect((await app.inject({ url: '/v1/nothing' })).json()).toMatchObject({ error: { code: 'unknown_url' } })
  expect((await app.inject({ url: '/api/v1/jobs/' })).statusCode).toBe(200)
})

it('turns work away while it has more to do than it can, and tells those who look after it that it lives', async () => {
  const { app } = await openApi({ config: 'limits:\n  memory: 1MB\n', pressure: true })
  const busy = await vi.waitUntil(
    async () => {
      const answer = await app.inject({ url: '/api/v1/jobs' })
      return answer.statusCode === 503 ? answer : null
    },
    { timeout: 30_000 },
  )
  expect([busy.json<{ code: string }>().code, busy.headers['retry-after']]).toEqual(['overloaded', '5'])
  expect((await app.inject({ url: '/livez' })).statusCode).toBe(200)
})

it('never shows the inside of a defect', () => {
  const defect = Object.assign(new TypeError('canary of a row at /home/me'), { statusCode: 418, validation: [] })
  const problem = problemOf(asKnown(defect), '0')
  expect(problem).toMatchObject({ status: 500, code: 'internal', instance: 'urn:uuid:0' })
  expect(JSON.stringify(problem)).not.toContain('canary')
  const full = problemOf(asKnown(new StorageFailure('full', 'canary.db is full')), '0')
  expect(full).toMatchObject({ status: 507, code: 'storage' })
  expect(JSON.stringify(full)).not.toContain('canary')
})
