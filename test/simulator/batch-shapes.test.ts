import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type Bench, benchOf, ORIGIN, replyOf, SPEAKERS, texts, upload } from './batching.ts'

const recordings = join(import.meta.dirname, '../../../shared/data/recordings')
const isThere = existsSync(recordings)
const HOUR = 3_600_000
const steady = (ms: number) => ({ medianMs: ms, p99Ms: ms })
const [openai, anthropic, gemini, mistral] = SPEAKERS as [
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
]

interface Recorded {
  readonly request: { readonly method: string; readonly url: string; readonly body: string }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
}

const benches: Bench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.simulator.close()
})
function open(options: Parameters<typeof benchOf>[0] = {}): Bench {
  const bench = benchOf({ batches: { validating: steady(HOUR), running: steady(HOUR) }, ...options })
  benches.push(bench)
  return bench
}

function flow(name: string): readonly Recorded[] {
  const file = readdirSync(join(recordings, 'flows')).find((one) => one.startsWith(name))
  return JSON.parse(readFileSync(join(recordings, 'flows', String(file)), 'utf8')).interactions
}

function reported(name: string) {
  return JSON.parse(JSON.parse(readFileSync(join(recordings, 'reported', `${name}.json`), 'utf8')).response.body)
}

/** The names and types of a JSON value; `null` fits any type, and lists are told by their first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (value === null || typeof value !== 'object') return value === null ? null : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one)]))
}

/** Asserts that ours has the same names in the same order, and the same types and nulls. */
function expectAlike(ours: unknown, theirs: unknown, { except = [] as readonly string[] } = {}): void {
  const without = (value: unknown) =>
    JSON.parse(JSON.stringify(shapeOf(value), (key, one) => (except.includes(key) ? 'any' : one)))
  expect(without(ours)).toEqual(without(theirs))
  if (typeof ours === 'object' && ours !== null) expect(Object.keys(ours)).toEqual(Object.keys(theirs as object))
}

const bodyOf = (recorded: Recorded | undefined) => JSON.parse(String(recorded?.response.body))
const stateIn = (interactions: readonly Recorded[], state: string) =>
  bodyOf(interactions.find(({ response }) => new RegExp(`"\\w*(?:state|status)": ?"${state}"`).test(response.body)))

describe.skipIf(!isThere)('shapes, field for field as recorded (needs ../shared/data)', () => {
  it('OpenAI: files, each state of a batch, and its results', async () => {
    const theirs = flow('ruby-llm-openai-batch-with-openai-gpt')
    const bench = open()
    const file = await upload(
      bench,
      '/v1/files',
      '{"custom_id":"0","method":"POST","url":"/v1/responses","body":{"model":"m","input":"Hello"}}\n',
    )
    expectAlike(file.json, bodyOf(theirs[0]))
    const told = { input_file_id: file.json.id, endpoint: '/v1/responses', completion_window: '24h' }
    const { json } = await bench.post('/v1/batches', told)
    expectAlike(json, stateIn(theirs, 'validating'))
    await bench.pass(HOUR)
    expectAlike((await bench.get(`/v1/batches/${json.id}`)).json, stateIn(theirs, 'in_progress'))
    await bench.pass(HOUR)
    const done = (await bench.get(`/v1/batches/${json.id}`)).json
    expectAlike(done, stateIn(theirs, 'completed'))
    const results = await bench.get(`/v1/files/${done.output_file_id}/content`)
    const recorded = theirs.at(-1)!.response
    expect(results.headers.get('content-type')).toBe(recorded.headers['content-type'])
    // What the live endpoint says is another test's matter.
    expectAlike(JSON.parse(results.text), JSON.parse(String(recorded.body.split('\n')[0])), { except: ['body'] })
  })

  it('OpenAI: cancelling, cancelled, and lists', async () => {
    const bench = open({ batches: { validating: steady(HOUR), cancellingMs: HOUR } })
    const id = openai.idOf(await openai.create(bench, texts(2), 'x'))
    const theirs = bodyOf(flow('ruby-openai-openai-batches-cancel.json')[0])
    // Recorded before batches told of models and usage.
    const older = ({ model: _, usage: __, metadata: ___, ...batch }: Record<string, unknown>) => batch
    expectAlike(older((await openai.cancel(bench, id)).json), older(theirs))
    await bench.pass(HOUR)
    const list = (await openai.list(bench)).json
    const { data, ...page } = bodyOf(flow('ruby-openai-openai-batches-list.json')[0])
    const { data: listed, ...ours } = list
    expectAlike(ours, page)
    const cancelled = data.find((one: { status: string }) => one.status === 'cancelled')
    expectAlike(older(listed[0]), older(cancelled))
    expect(list.data[0].request_counts).toEqual(cancelled.request_counts)
  })

  it('OpenAI: what users report of failures', async () => {
    const bench = open({ batches: { rowError: 1 } })
    const refused = await upload(bench, '/v1/files', '{}', 'batch.txt')
    expect([refused.status, refused.json]).toEqual([400, reported('openai_files_400_not_jsonl')])
    const id = openai.idOf(await openai.create(bench, texts(3), 'x'))
    await bench.pass(0)
    const ours = (await openai.look(bench, id)).json
    const theirs = reported('openai_batch_completed_all_failed')
    for (const key of Object.keys(theirs)) {
      if (key !== 'metadata') expect([key, shapeOf(ours[key])]).toEqual([key, shapeOf(theirs[key])])
    }
    expect(ours.request_counts).toEqual({ total: 3, completed: 0, failed: 3 })
    const full = open({ batches: { queueTokens: 1 } })
    const failed = (await openai.look(full, openai.idOf(await openai.create(full, texts(1))))).json
    const limit = reported('openai_batch_error_token_limit_exceeded')
    expectAlike(failed.errors.data[0], limit)
    expect(failed.errors.data[0].message.replace(/for .*? in .*? enqueued/, '')).toBe(
      limit.message.replace(/for .*? in .*? enqueued/, ''),
    )
  })

  it('Anthropic: each state, results, lists and errors', async () => {
    const theirs = flow('ruby-llm-anthropic-batch-with-anthropic-claude-haiku-4-5-answers')
    const bench = open()
    const created = await anthropic.create(bench, texts(2))
    expectAlike(created.json, bodyOf(theirs[0]))
    expect(created.json.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
    const id = anthropic.idOf(created)
    const early = await bench.get(`/v1/messages/batches/${id}/results`)
    const missing = bodyOf(flow('anthropic-anthropic-batch-results.json')[0])
    expectAlike(early.json, missing)
    expect(early.json.error.message.replace(id, '')).toBe(missing.error.message.replace(/msgbatch_\w+/, ''))
    expect((await anthropic.look(bench, id)).headers.get('retry-after')).toBe('10')
    await bench.pass(2 * HOUR)
    expectAlike((await anthropic.look(bench, id)).json, stateIn(theirs, 'ended'))
    const results = await bench.get(`/v1/messages/batches/${id}/results`)
    const recorded = theirs.at(-1)!.response
    expect(results.headers.get('content-type')).toBe(recorded.headers['content-type'])
    const line = JSON.parse(String(results.text.split('\n')[0]))
    expectAlike(line, JSON.parse(String(recorded.body.split('\n')[0])), { except: ['message'] })
    expect(line.result.message.usage.service_tier).toBe('batch')
    const { data, ...page } = bodyOf(flow('anthropic-anthropic-batch-list-with-params.json')[0])
    const { data: listed, ...ours } = (await bench.get('/v1/messages/batches?limit=1')).json
    expectAlike({ ...ours, data: [] }, { ...page, data: [] })
    expect(listed).toHaveLength(data.length)
    const second = anthropic.idOf(await anthropic.create(bench, texts(2)))
    expectAlike((await anthropic.cancel(bench, second)).json, bodyOf(flow('anthropic-anthropic-batch-cancel.json')[0]))
    const closed = open({ badKey: true })
    const { request_id: _, ...refused } = (await anthropic.create(closed, texts(1))).json
    expect(refused).toEqual(bodyOf(flow('anthropic-anthropic-error-logging.json')[0]))
  })

  it('Gemini: operations of requests in the call, with metadata of their own', async () => {
    const theirs = flow('ruby-llm-gemini-batch')
    const bench = open()
    const { json } = await bench.post(
      '/v1beta/models/gemini-2.5-flash:batchGenerateContent',
      JSON.parse(theirs[0]!.request.body),
    )
    expectAlike(json, bodyOf(theirs[0]))
    await bench.pass(HOUR)
    expectAlike((await gemini.look(bench, json.name)).json, stateIn(theirs, 'BATCH_STATE_RUNNING'))
    await bench.pass(HOUR)
    const done = (await gemini.look(bench, json.name)).json
    const succeeded = stateIn(theirs, 'BATCH_STATE_SUCCEEDED')
    expectAlike(done, succeeded, { except: ['usageMetadata', 'metadata'] })
    expectAlike(done.metadata, succeeded.metadata, { except: ['usageMetadata'] })
    const [first] = done.metadata.output.inlinedResponses.inlinedResponses
    expect(first.metadata).toEqual({ custom_id: '0' })
  })

  it('Mistral: jobs of requests in the call', async () => {
    const theirs = flow('ruby-llm-mistral-batch')
    const bench = open()
    const { json } = await bench.post('/v1/batch/jobs', JSON.parse(theirs[0]!.request.body))
    expectAlike(json, bodyOf(theirs[0]))
    await bench.pass(HOUR)
    expectAlike((await mistral.look(bench, json.id)).json, stateIn(theirs, 'RUNNING'))
    await bench.pass(HOUR)
    const done = (await mistral.look(bench, json.id)).json
    expectAlike(done, stateIn(theirs, 'SUCCESS'), { except: ['body'] })
    expect(done.outputs.map((one: { custom_id: string }) => one.custom_id)).toEqual(['0', '1'])
  })
})

describe('the edges of the endpoints', () => {
  it('OpenAI pages through lists, forgets files, and cancels nothing that has ended', async () => {
    const bench = open({ batches: {} })
    const ids: string[] = []
    for (const at of [0, 1, 2, 3, 4]) ids.unshift(openai.idOf(await openai.create(bench, texts(1, at), `s${at}`)))
    const first = (await bench.get('/v1/batches?limit=2')).json
    const rest = (await bench.get(`/v1/batches?limit=100&after=${first.last_id}`)).json
    expect([...first.data, ...rest.data].map((one: { id: string }) => one.id)).toEqual(ids)
    expect([first.has_more, rest.has_more]).toEqual([true, false])
    await bench.pass(0)
    expect((await openai.cancel(bench, String(ids[0]))).status).toBe(409)
    const { input_file_id: input } = first.data[0]
    const gone = await replyOf(await bench.fetch(`${ORIGIN}/v1/files/${input}`, { method: 'DELETE' }))
    expect(gone.json).toEqual({ object: 'file', deleted: true, id: input })
    expect((await bench.get(`/v1/files/${input}`)).status).toBe(404)
    expect((await openai.look(bench, 'batch_none')).json.error.message).toMatch(/batch_none/)
  })

  it('OpenAI says which line of a file is wrong', async () => {
    const bench = open({ batches: {} })
    const line = (id: string, url = '/v1/chat/completions') =>
      `{"custom_id":"${id}","method":"POST","url":"${url}","body":{"model":"m","messages":[{"role":"user","content":"x"}]}}\n`
    const failures = async (lines: string) => {
      const file = await upload(bench, '/v1/files', lines)
      const told = { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' }
      const { json } = await bench.post('/v1/batches', told)
      const { errors, status } = (await bench.get(`/v1/batches/${json.id}`)).json
      return [status, errors?.data.map(({ code, line }: { code: string; line: number | null }) => [code, line])]
    }
    expect(await failures(line('a') + line('b'))).toEqual([expect.not.stringMatching('failed'), undefined])
    expect(await failures(`${line('a')}{"custom_id":\n`)).toEqual(['failed', [['invalid_json_line', 2]]])
    expect(await failures(line('a') + line('a'))).toEqual(['failed', [['duplicate_custom_id', 2]]])
    expect(await failures('\n')).toEqual(['failed', [['empty_file', null]]])
    expect(await failures(line('a', '/v1/responses'))).toEqual(['failed', [['mismatched_url', null]]])
  })

  it('Anthropic refuses ids that are there twice, and deletes what has ended', async () => {
    const bench = open({ batches: {} })
    const twice = await anthropic.create(bench, [...texts(1), ...texts(1)])
    expect(twice).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining('requests.1') } } })
    const id = anthropic.idOf(await anthropic.create(bench, texts(2)))
    await bench.pass(0)
    const url = `${ORIGIN}/v1/messages/batches/${id}`
    expect((await replyOf(await bench.fetch(url, { method: 'DELETE' }))).json).toEqual({
      id,
      type: 'message_batch_deleted',
    })
    expect((await anthropic.look(bench, id)).status).toBe(404)
    expect(bench.simulator.stats().billed_requests).toBe(2)
  })

  it('Gemini takes an upload in pieces, and says how far it got', async () => {
    const bench = open({ batches: {} })
    const started = await bench.fetch(`${ORIGIN}/upload/v1beta/files`, {
      method: 'POST',
      headers: { 'x-goog-upload-command': 'start' },
      body: '{"file":{"displayName":"in"}}',
    })
    const url = String(started.headers.get('x-goog-upload-url'))
    const line = '{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"Hello there."}]}]}}\n'
    const send = (command: string, offset: number, body: string) =>
      bench
        .fetch(url, {
          method: 'PUT',
          headers: { 'x-goog-upload-command': command, 'x-goog-upload-offset': String(offset) },
          body,
        })
        .then(replyOf)
    await send('upload', 0, line.slice(0, 30))
    expect((await send('query', 0, '')).headers.get('x-goog-upload-size-received')).toBe('30')
    expect((await send('upload', 7, 'x')).status).toBe(400)
    const { json } = await send('upload, finalize', 30, line.slice(30))
    expect(json.file).toMatchObject({ sizeBytes: String(line.length), state: 'ACTIVE', displayName: 'in' })
    expect((await bench.get(`/download/v1beta/${json.file.name}:download?alt=media`)).text).toBe(line)
  })

  it('Mistral lists by time and state', async () => {
    const bench = open({ batches: {} })
    const old = mistral.idOf(await mistral.create(bench, texts(1)))
    await bench.pass(HOUR)
    const since = new Date(bench.clock.ms).toISOString()
    const young = mistral.idOf(await mistral.create(bench, texts(1)))
    const ids = async (query: string) =>
      (await bench.get(`/v1/batch/jobs?${query}`)).json.data.map((one: { id: string }) => one.id)
    expect(await ids(`created_after=${since}`)).toEqual([young])
    expect(await ids('status=SUCCESS')).toEqual([old])
    expect(await ids('page=1&page_size=1')).toEqual([old])
  })
})
