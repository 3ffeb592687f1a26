import { expect, it } from 'vitest'
import { openApi } from './api.ts'
import { spec } from './at-work.ts'
import { describedBy } from './openapi.ts'

async function withSpecs() {
  const { app } = await openApi()
  const ask = describedBy(app)
  const url = '/api/v1/specs/labels'
  const publish = (description: string, headers: Record<string, string> = {}, name = 'labels') =>
    ask({ method: 'PUT', url, payload: spec(name, { description }), headers })
  return { ask, url, publish }
}

it('keeps a spec version by version; the same again is no new one', async () => {
  const { ask, url, publish } = await withSpecs()
  expect((await ask({ method: 'GET', url })).json()).toMatchObject({ code: 'spec_not_found', status: 404 })
  const first = await publish('one')
  expect(first.statusCode).toBe(201)
  expect(first.json()).toMatchObject({ name: 'labels', version: 1, spec: { description: 'one' } })
  expect(first.headers.etag).toBe(`"${first.json<{ hash: string }>().hash}"`)
  expect((await publish('one')).statusCode).toBe(200)
  expect((await publish('two')).json()).toMatchObject({ version: 2 })
  expect((await ask({ method: 'GET', url: `${url}?version=1` })).json()).toMatchObject({
    version: 1,
    spec: { description: 'one' },
  })
  expect((await ask({ method: 'GET', url: `${url}?version=3` })).statusCode).toBe(404)
  const versions = (await ask({ method: 'GET', url: `${url}/versions?limit=1` })).json<{
    items: object[]
    next_cursor: string
  }>()
  expect(versions.items).toMatchObject([{ version: 2 }])
  const rest = (await ask({ method: 'GET', url: `${url}/versions?cursor=${versions.next_cursor}` })).json<{
    items: object[]
  }>()
  expect(rest).toMatchObject({ items: [{ version: 1 }], next_cursor: null })
  expect((await ask({ method: 'GET', url: '/api/v1/specs' })).json()).toMatchObject({
    items: [{ name: 'labels', version: 2 }],
    next_cursor: null,
  })
})

it('answers 304 to whoever has it, and 412 to whoever changes what is not there any more', async () => {
  const { ask, url, publish } = await withSpecs()
  const one = (await publish('one', { 'if-none-match': '*' })).headers.etag as string
  expect((await publish('other', { 'if-none-match': '*' })).statusCode).toBe(412)
  const again = await ask({ method: 'GET', url, headers: { 'if-none-match': `W/"other", ${one}` } })
  expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', one])
  expect((await publish('two', { 'if-match': one })).statusCode).toBe(201)
  const late = await publish('three', { 'if-match': one })
  expect(late.json()).toMatchObject({ status: 412, code: 'spec_changed' })
  expect((await ask({ method: 'GET', url, headers: { 'if-none-match': one } })).statusCode).toBe(200)
  expect((await publish('three', { 'if-match': '*' })).statusCode).toBe(201)
})

it('says in what two versions differ', async () => {
  const { ask, url, publish } = await withSpecs()
  await publish('one')
  await ask({ method: 'PUT', url, payload: { ...spec('labels'), tags: { team: 'a' } } })
  expect((await ask({ method: 'GET', url: `${url}/diff?from=1&to=2` })).json()).toMatchObject({
    from: { version: 1 },
    to: { version: 2 },
    differences: [
      { path: '/description', change: 'removed', before: 'one' },
      { path: '/tags', change: 'added', after: { team: 'a' } },
    ],
  })
  expect((await ask({ method: 'GET', url: `${url}/diff?from=2` })).json()).toMatchObject({ differences: [] })
  expect((await ask({ method: 'GET', url: `${url}/diff?from=9` })).statusCode).toBe(404)
  expect((await ask({ method: 'GET', url: `${url}/diff` })).statusCode).toBe(400)
})

it('publishes nothing that is wrong, nor under another name', async () => {
  const { ask, url, publish } = await withSpecs()
  const other = await publish('one', {}, 'others')
  expect(other.json()).toMatchObject({ status: 422, detail: 'the spec is called "others", the address "labels"' })
  expect((await ask({ method: 'PUT', url, payload: { name: 'labels' } })).statusCode).toBe(422)
  expect((await ask({ method: 'PUT', url, payload: [] })).statusCode).toBe(400)
  expect((await ask({ method: 'GET', url: `${url}/versions` })).statusCode).toBe(404)
})

it('checks a spec without keeping it: every finding at once, and nothing of this machine can be reached', async () => {
  const { ask } = await withSpecs()
  const check = async (document: object) =>
    (await ask({ method: 'POST', url: '/api/v1/check', payload: { spec: document } })).json<{
      ok: boolean
      findings: { severity: string; message: string }[]
    }>()
  expect(await check(spec('labels'))).toMatchObject({ ok: true })
  const found = await check({
    ...spec('labels'),
    input: { source: 's3://somebody/rows.csv' },
    model: { id: 'openai-compatible/a', base_url: 'http://169.254.169.254/', api_key_env: 'AWS_SECRET_ACCESS_KEY' },
    write: { path: '/etc/cron.d/x' },
  })
  expect(found.ok).toBe(false)
  const errors = found.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message)
  for (const part of ['input.source', 'base_url', 'api_key_env', 'write.path'])
    expect(errors.join('\n')).toContain(part)
})
