import { describe, expect, it } from 'vitest'
import { openApi } from './api.ts'
import { ROWS, spec, workUntilIdle } from './at-work.ts'
import { describedBy } from './openapi.ts'

type Json = Record<string, unknown>

/** A server with a job, made from `spec` or another body. */
async function withJob(body: object = { spec: spec('labels') }) {
  const api = await openApi()
  const ask = describedBy(api.app)
  const created = await ask({ method: 'POST', url: '/api/v1/jobs', payload: body })
  expect(created.statusCode, created.body).toBe(201)
  const { job_id: id } = created.json<{ job_id: string }>()
  const job = `/api/v1/jobs/${id}`
  const upload = (text: string) =>
    ask({ method: 'PUT', url: `${job}/input`, payload: text, headers: { 'content-type': 'text/csv' } })
  const get = async (url: string) => (await ask({ method: 'GET', url })).json<Json>()
  return { ...api, ask, id, job, created, upload, get }
}

/** The same, worked on to its end: ten rows, two of them failed. */
async function withEndedJob() {
  const world = await withJob()
  expect((await world.upload(ROWS)).statusCode).toBe(201)
  expect((await world.ask({ method: 'POST', url: `${world.job}/start` })).statusCode).toBe(202)
  await workUntilIdle(world)
  return world
}

describe('a job over HTTP', () => {
  it('is created with a place for its input, started, worked on, looked at, and run again', async () => {
    const { ask, get, id, job, created, upload, ...api } = await withJob()
    expect(created.json()).toMatchObject({ job_id: id, state: 'created', spec: 'labels' })
    expect(created.json<Json>().upload_url).toMatch(new RegExp(`^http://[^/]+${job}/input$`))
    expect(created.headers.location).toBe(job)

    const early = await ask({ method: 'POST', url: `${job}/start` })
    expect(early.statusCode).toBe(409)
    expect(early.json()).toMatchObject({ code: 'job_state', hint: 'Upload it, then start the job.' })

    expect((await upload(ROWS)).statusCode).toBe(201)
    const started = await ask({ method: 'POST', url: `${job}/start` })
    expect(started.statusCode).toBe(202)
    await workUntilIdle(api)

    expect(await get(job)).toMatchObject({
      state: 'completed',
      rows: { total: 10, succeeded: 8, failed: 2 },
      rows_done: 10,
      chunks: { total: 3, done: 3 },
      causes: { check_failed: 2 },
      eta_s: null,
    })
    const retried = await ask({ method: 'POST', url: `${job}/retry`, payload: { causes: ['check_failed'] } })
    expect(retried.json()).toMatchObject({ rows: 2, job: { round: 1, state: 'queued' } })
    await workUntilIdle(api)
    expect(await get(job)).toMatchObject({ state: 'completed', round: 1, rows: { failed: 2 } })
    const nothing = await ask({ method: 'POST', url: `${job}/retry`, payload: { causes: ['refused'] } })
    expect(nothing.json()).toMatchObject({ rows: 0, job: { round: 1 } })
  })

  it('shows its chunks, its rows page by page, and each row in full', async () => {
    const { ask, get, job } = await withEndedJob()
    const chunks = await get(`${job}/chunks`)
    expect(chunks.items).toEqual(
      [0, 4, 8].map((first_row, chunk_id) => expect.objectContaining({ chunk_id, first_row, state: 'done' })),
    )

    const seen: unknown[] = []
    for (let cursor: unknown = null; ; ) {
      const page = await get(`${job}/rows?limit=3${cursor === null ? '' : `&cursor=${String(cursor)}`}`)
      const items = page.items as Json[]
      expect(items.length).toBeLessThanOrEqual(3)
      seen.push(...items.map(({ row_id }) => row_id))
      cursor = page.next_cursor
      if (cursor === null) break
    }
    expect(seen).toEqual(Array.from({ length: 10 }, (_, at) => `r${at}`))

    const failed = await get(`${job}/rows?state=failed&cause=check_failed`)
    expect(failed.items).toEqual([expect.objectContaining({ row_id: 'r2' }), expect.objectContaining({ row_id: 'r7' })])
    expect((await get(`${job}/rows?state=succeeded&state=failed`)).items).toHaveLength(10)

    const row = await get(`${job}/rows/r7`)
    expect(row).toMatchObject({
      row_id: 'r7',
      input: { id: 'r7', text: 'text 7', kind: 'bad' },
      outcome: { state: 'failed', cause: 'check_failed' },
      attempts: [{ cause: 'check_failed' }],
    })
    expect(await get(`${job}/rows/7`)).toMatchObject({ row_id: 'r7' })
    expect((await ask({ method: 'GET', url: `${job}/rows/r99` })).json()).toMatchObject({ code: 'row_not_found' })
  })

  it('gives its dead letters a line each, and its report in the form that is accepted', async () => {
    const { ask, job } = await withEndedJob()
    const letters = (await ask({ method: 'GET', url: `${job}/dead-letters` })).body.trimEnd().split('\n')
    expect(letters.map((line) => (JSON.parse(line) as Json).row_id)).toEqual(['r2', 'r7'])
    expect((await ask({ method: 'GET', url: `${job}/dead-letters?cause=refused` })).body).toBe('')

    const report = (accept?: string) =>
      ask({ method: 'GET', url: `${job}/report`, ...(accept && { headers: { accept } }) })
    expect((await report()).json()).toMatchObject({ version: 'sluice.report/1' })
    expect((await report('text/markdown, application/json;q=0.5')).body).toMatch(/^# /)
    const html = await report('text/html')
    expect(html.statusCode).toBe(406)
    expect(html.json()).toMatchObject({
      code: 'not_acceptable',
      detail: 'the report is there as application/json and text/markdown',
    })
  })

  it('is paused, resumed and cancelled, and says so in the audit log', async () => {
    const { ask, get, id, job, upload } = await withJob()
    await upload(ROWS)
    await ask({ method: 'POST', url: `${job}/start` })
    expect((await ask({ method: 'POST', url: `${job}/pause` })).json()).toMatchObject({
      state: 'paused',
      reason: 'user',
    })
    expect((await ask({ method: 'POST', url: `${job}/resume` })).statusCode).toBe(200)
    expect((await ask({ method: 'POST', url: `${job}/cancel` })).json()).toMatchObject({ state: 'cancelled' })
    const again = await ask({ method: 'POST', url: `${job}/pause` })
    expect(again.statusCode).toBe(409)
    expect(again.json()).toMatchObject({ code: 'job_state' })
    const { items } = (await get(`/api/v1/audit?subject=${id}`)) as { items: { action: string; actor: string }[] }
    expect(items.map(({ action }) => action)).toEqual([
      'job.cancel',
      'job.resume',
      'job.pause',
      'job.start',
      'job.input',
      'job.create',
    ])
    expect(new Set(items.map(({ actor }) => actor))).toEqual(new Set(['local']))
  })

  it('can be changed while it lives', async () => {
    const { ask, job } = await withJob()
    const change = (payload: object) => ask({ method: 'PATCH', url: job, payload })
    expect((await change({ budget_tokens: 5000, concurrency: 3, priority: 'high' })).json()).toMatchObject({
      settings: { budget_tokens: 5000, concurrency: 3, priority: 'high', budget_usd: null },
    })
    expect((await change({ budget_tokens: null })).json()).toMatchObject({
      settings: { budget_tokens: null, concurrency: 3 },
    })
    expect((await change({})).json()).toMatchObject({
      code: 'request_invalid',
      detail: 'body: nothing is to be changed',
    })
    expect((await change({ concurency: 3 })).json()).toMatchObject({
      code: 'request_invalid',
      errors: [{ message: 'unknown name "concurency"', hint: 'did you mean "concurrency"?' }],
    })
    expect((await change({ budget_usd: 0.0000000001 })).statusCode).toBe(400)
  })

  it('is planned with what was uploaded for it, before anything is spent', async () => {
    const { ask, id, upload, get, job } = await withJob()
    const plan = (payload: object) => ask({ method: 'POST', url: '/api/v1/plans', payload })
    expect((await plan({ job_id: id })).json()).toMatchObject({ code: 'input_missing' })
    await upload(ROWS)
    expect((await plan({ job_id: id, explain: true })).json()).toMatchObject({
      type: 'plan',
      rows: { total: 10, to_run: 10 },
    })
    expect((await plan({ spec: spec('labels') })).json()).toMatchObject({ code: 'input_missing' })
    expect((await plan({})).statusCode).toBe(400)
    expect((await plan({ job_id: 'job_nobody' })).statusCode).toBe(404)
    expect(await get(job)).toMatchObject({ state: 'created', attempts: 0 })
  })
})

describe('the forms of a create', () => {
  it('takes a short form: a file name, a template, the fields of an answer, a model', async () => {
    const { created, upload, get, job, ask, ...api } = await withJob({
      filename: 'people.csv',
      name: 'segments',
      columns_hint: ['id', 'text'],
      prompt_template: 'Which segment is {{ text }}?',
      schema_hint: { segment: 'string', confidence: 'number' },
      model: 'simulator/labels',
    })
    expect(created.json()).toMatchObject({ spec: 'segments' })
    await upload(ROWS)
    await ask({ method: 'POST', url: `${job}/start?model=simulator%2Fother` })
    await workUntilIdle(api)
    expect(await get(job)).toMatchObject({ state: 'completed', model: 'simulator/other', rows: { succeeded: 10 } })
    const { items } = (await get(`${job}/rows?limit=1`)) as { items: { output: object }[] }
    expect(Object.keys(items[0]?.output ?? {})).toEqual(['segment', 'confidence'])
  })

  it('takes a JSON Schema for the fields, and the first model that the operator has named where none is given', async () => {
    const api = await openApi({ config: 'models:\n  small: simulator/labels\n' })
    const answer = await describedBy(api.app)({
      method: 'POST',
      url: '/api/v1/jobs',
      payload: {
        filename: 'people.csv',
        prompt_template: 'Hm? {{ text }}',
        schema_hint: {
          type: 'object',
          properties: { a: { type: 'string' } },
          required: ['a'],
          additionalProperties: false,
        },
      },
    })
    expect(answer.json()).toMatchObject({ spec: 'people', state: 'created' })
  })

  it('takes a published spec by its name, in its latest or a given version', async () => {
    const { app } = await openApi()
    const ask = describedBy(app)
    const publish = (text: string) =>
      ask({ method: 'PUT', url: '/api/v1/specs/labels', payload: spec('labels', { description: text }) })
    await publish('one')
    await publish('two')
    const create = async (payload: object) => (await ask({ method: 'POST', url: '/api/v1/jobs', payload })).json<Json>()
    const versions = (await ask({ method: 'GET', url: '/api/v1/specs/labels/versions' })).json<{ items: Json[] }>()
      .items
    expect(await create({ spec_name: 'labels' })).toMatchObject({ spec_hash: versions[0]?.hash })
    expect(await create({ spec_name: 'labels', version: 1 })).toMatchObject({ spec_hash: versions[1]?.hash })
    expect(await create({ spec_name: 'labels', version: 3 })).toMatchObject({ code: 'spec_not_found', status: 404 })
  })

  it('is the same job for the same key, and refuses the key for another spec', async () => {
    const { ask, id } = await withJob({ spec: spec('labels'), job_key: 'nightly' })
    const create = (name: string) =>
      ask({ method: 'POST', url: '/api/v1/jobs', payload: { spec: spec(name), job_key: 'nightly' } })
    const again = await create('labels')
    expect(again.statusCode).toBe(200)
    expect(again.json()).toMatchObject({ job_id: id, state: 'created', upload_url: expect.stringContaining(id) })
    const other = await create('others')
    expect(other.statusCode).toBe(422)
    expect(other.json()).toMatchObject({ code: 'job_key_conflict' })
  })

  it('is not offered a place for its input any more once it was started, and gives a repeated request its own answer', async () => {
    const { ask, id, service } = await withJob({ spec: spec('labels'), job_key: 'nightly' })
    const create = (headers = {}) =>
      ask({ method: 'POST', url: '/api/v1/jobs', payload: { spec: spec('labels'), job_key: 'nightly' }, headers })
    const before = await create({ 'idempotency-key': 'once' })
    await service.engine(1).cancel(id)
    const after = await create()
    expect(after.statusCode).toBe(200)
    expect(after.json()).toMatchObject({ job_id: id, state: 'cancelled', upload_url: null, file_id: null })
    const replayed = await create({ 'idempotency-key': 'once' })
    expect(replayed.headers['idempotency-replayed']).toBe('true')
    expect([replayed.statusCode, replayed.json()]).toStrictEqual([200, before.json()])
    const { items } = (await ask({ method: 'GET', url: '/api/v1/audit' })).json<{ items: { action: string }[] }>()
    expect(items.filter(({ action }) => action === 'job.create')).toHaveLength(1)
  })

  it('says everything that is wrong at once, with the nearest name', async () => {
    const { app } = await openApi()
    const create = (payload: object) => describedBy(app)({ method: 'POST', url: '/api/v1/jobs', payload })
    const wrong = await create({ spec: { version: 1, name: 'x', modle: {}, input: { source: 'a.csv' }, prompt: {} } })
    expect(wrong.statusCode).toBe(422)
    const { code, errors } = wrong.json<{ code: string; errors: { message: string; hint: string }[] }>()
    expect(code).toBe('spec_invalid')
    expect(errors.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringContaining('unknown key "modle"'), expect.stringContaining('prompt')]),
    )
    const form = await create({ filename: 'a.csv', promt_template: 'x' })
    expect(form.json()).toMatchObject({
      status: 400,
      code: 'request_invalid',
      errors: [{ message: 'prompt_template is missing' }, { hint: 'did you mean "prompt_template"?' }],
    })
    expect((await create({})).json()).toMatchObject({ detail: 'body: it names no job to create' })
    expect((await create({ filename: '../etc/passwd', prompt_template: 'x', model: 'simulator/a' })).statusCode).toBe(
      400,
    )
    expect((await create({ filename: 'a.csv', prompt_template: 'x' })).json()).toMatchObject({
      detail: 'body: model is missing',
    })
  })
})

it('lists jobs newest first, page by page, by state and by spec', async () => {
  const { app } = await openApi()
  const ask = describedBy(app)
  const ids: string[] = []
  for (const name of ['a', 'b', 'a', 'b', 'a']) {
    const created = await ask({ method: 'POST', url: '/api/v1/jobs', payload: { spec: spec(name) } })
    ids.unshift(created.json<{ job_id: string }>().job_id)
  }
  const list = async (query: string) =>
    (await ask({ method: 'GET', url: `/api/v1/jobs?${query}` })).json<{ items: Json[]; next_cursor: string | null }>()
  const first = await list('limit=2')
  const second = await list(`limit=2&cursor=${first.next_cursor}`)
  const third = await list(`limit=2&cursor=${second.next_cursor}`)
  expect([...first.items, ...second.items, ...third.items].map(({ job_id }) => job_id)).toEqual(ids)
  expect(third.next_cursor).toBeNull()
  expect((await list('spec=a')).items.map(({ spec: name }) => name)).toEqual(['a', 'a', 'a'])
  expect((await list('state=running&state=paused')).items).toEqual([])
  for (const query of [
    'cursor=nonsense',
    'state=runing',
    'limit=0',
    'limit=x',
    'page=2',
    `cursor=${Buffer.from('job:job_no').toString('base64url')}`,
  ]) {
    expect((await ask({ method: 'GET', url: `/api/v1/jobs?${query}` })).statusCode, query).toBe(400)
  }
})

it('rolls up what was spent', async () => {
  const { get } = await withEndedJob()
  const costs = await get('/api/v1/costs')
  expect(costs).toMatchObject({ by: 'spec', lines: [{ key: 'labels', attempts: 10 }], total: { attempts: 10 } })
  expect(await get('/api/v1/costs?by=model&since=2999-01-01')).toMatchObject({ lines: [], total: { attempts: 0 } })
})
