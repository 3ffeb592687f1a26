import { expect, it } from 'vitest'
import { bearer, openApi } from './api.ts'
import { ROWS, spec, workUntilIdle } from './at-work.ts'
import type { Description } from './openapi.ts'

/** What each part of an address stands for. A new one has to be taught here. */
type Ids = Readonly<Record<'id' | 'key' | 'name' | 'file_id' | 'batch_id' | 'model', string>>

/** Bodies that routes would take, so that nothing but the id stands between the caller and the answer. */
const BODIES: Readonly<Record<string, object>> = {
  changeJob: { concurrency: 1 },
  retryJob: {},
}

const QUERIES: Readonly<Record<string, string>> = { diffSpec: '?from=1' }

/** Names that everybody gives as they like: the same name of two tenants is two things. Models are the operator's. */
const NOT_IDS = ['publishSpec', 'retrieveModel']

it('no route tells a tenant anything of what belongs to another, not even that it is there', async () => {
  const { app, key, tenant, ...api } = await openApi({ config: 'limits:\n  requests_per_minute: 100000\n' })
  const owner = bearer(await key(['admin'], await tenant('owner')))
  const stranger = bearer(await key(['admin'], await tenant('stranger')))
  const as = (headers: object, method: string, url: string, payload?: string | object) =>
    app.inject({
      method: method as 'GET',
      url,
      headers: { ...headers, ...(typeof payload === 'string' && { 'content-type': 'text/csv' }) },
      ...(payload !== undefined && { payload }),
    })

  const job = (await as(owner, 'POST', '/api/v1/jobs', { spec: spec('secret-labels') })).json<{ job_id: string }>()
    .job_id
  expect((await as(owner, 'PUT', `/api/v1/jobs/${job}/input`, ROWS)).statusCode).toBe(201)
  expect((await as(owner, 'POST', `/api/v1/jobs/${job}/start`)).statusCode).toBe(202)
  await workUntilIdle(api)
  expect((await as(owner, 'PUT', '/api/v1/specs/secret-labels', spec('secret-labels'))).statusCode).toBe(201)
  const file = await uploadFile(app, owner)
  const batch = (
    await as(owner, 'POST', '/v1/batches', {
      input_file_id: file,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    })
  ).json<{ id: string }>().id
  expect(batch).toMatch(/^batch_/)

  const theirs: Ids = { id: job, key: 'r1', name: 'secret-labels', file_id: file, batch_id: batch, model: 'nothing' }
  const unknown: Ids = {
    ...theirs,
    id: altered(job),
    name: 'no-such-label',
    file_id: altered(file),
    batch_id: altered(batch),
  }
  const secrets = [job, file, batch, 'secret-labels', job.slice(4)]

  const { paths } = app.swagger() as unknown as Description
  let walked = 0
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { operationId }] of Object.entries(operations)) {
      const url = (ids: Ids) =>
        path.replace(/\{([^}]+)\}/g, (_all, part: string) => named(ids, part, path)) + (QUERIES[operationId] ?? '')
      const payload = path.endsWith('/input') && method === 'put' ? ROWS : BODIES[operationId]
      const answer = await as(stranger, method.toUpperCase(), url(theirs), payload)
      if (NOT_IDS.includes(operationId)) continue
      walked += 1
      if (!path.includes('{')) {
        for (const secret of secrets) expect(answer.body, `${method} ${path}`).not.toContain(secret)
        continue
      }
      const other = await as(stranger, method.toUpperCase(), url(unknown), payload)
      expect([`${method} ${path}`, answer.statusCode]).toEqual([`${method} ${path}`, 404])
      expect(without(answer.body, theirs), `${method} ${path}`).toBe(without(other.body, unknown))
      expect(Object.keys(answer.headers).sort()).toEqual(Object.keys(other.headers).sort())
    }
  }
  expect(walked).toBeGreaterThan(30)
  // And none of it did anything.
  expect((await as(owner, 'GET', `/api/v1/jobs/${job}`)).json()).toMatchObject({
    state: 'completed',
    round: 0,
    settings: { concurrency: null },
  })
  expect((await as(owner, 'GET', `/v1/files/${file}`)).statusCode).toBe(200)
})

async function uploadFile(
  app: Awaited<ReturnType<typeof openApi>>['app'],
  headers: { readonly authorization: string },
): Promise<string> {
  const line = {
    custom_id: 'a',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'simulator/a', messages: [{ role: 'user', content: 'hi' }] },
  }
  const payload = [
    '--x',
    'content-disposition: form-data; name="purpose"',
    '',
    'batch',
    '--x',
    'content-disposition: form-data; name="file"; filename="a.jsonl"',
    'content-type: application/jsonl',
    '',
    JSON.stringify(line),
    '--x--',
    '',
  ].join('\r\n')
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/files',
    payload,
    headers: { ...headers, 'content-type': 'multipart/form-data; boundary=x' },
  })
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json<{ id: string }>().id
}

/** Another id of the same form. */
function altered(id: string): string {
  return id.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
}

function named(ids: Ids, part: string, path: string): string {
  if (part === 'id' && path.startsWith('/v1/files')) return ids.file_id
  if (part === 'id' && path.startsWith('/v1/batches')) return ids.batch_id
  const id = ids[part as keyof Ids]
  if (id === undefined) throw new Error(`${path}: this test does not know what {${part}} is`)
  return id
}

/** What an answer says beside the id that was asked for, and its own. */
function without(body: string, ids: Ids): string {
  return Object.values(ids)
    .reduce((text, id) => text.replaceAll(id, '…'), body)
    .replace(/urn:uuid:[0-9a-f-]+/g, '…')
}
