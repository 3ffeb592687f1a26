import { describe, expect, it } from 'vitest'
import type { BatchSaid } from '../../../src/domain/batch.ts'
import { KEY, kindOf, LINES, NEVER, offerOf, type Seen, SHARD, scriptedApi, textsOf } from './scripted.ts'

async function polled(kind: ReturnType<typeof kindOf>, body: unknown): Promise<BatchSaid> {
  const answer = await scriptedApi(kind, () => ({ body })).api.poll('b', NEVER)
  if (answer.is !== 'said') throw new Error(JSON.stringify(answer))
  return answer.value
}

describe('a batch at Anthropic', () => {
  const KIND = kindOf('anthropic/claude-sonnet-4-5', null, {
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'a-beta,b-beta',
  })
  const batch = (counts: object, more: object = {}) => ({
    id: 'msgbatch_1',
    processing_status: 'ended',
    request_counts: { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0, ...counts },
    created_at: '2026-08-19T14:44:51.493319+00:00',
    expires_at: '2026-08-20T14:44:51.493319+00:00',
    ...more,
  })

  it('is one call whose body holds all requests, with the betas that they need', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({
      body: batch({ processing: 2 }, { processing_status: 'in_progress' }),
    }))
    const offer = offerOf(KIND, LINES)
    expect(await api.upload(offer, NEVER)).toEqual({ is: 'said', value: null })
    expect(await api.create(offer, null, NEVER)).toMatchObject({
      is: 'said',
      value: { phase: 'running', total: 2, succeeded: null },
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: 'https://api.anthropic.com/v1/messages/batches',
      headers: {
        'x-api-key': KEY,
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'a-beta,b-beta',
        'content-type': 'application/json',
      },
    })
    expect(JSON.parse((seen[0] as Seen).body)).toEqual({
      requests: LINES.map(({ id, body }) => ({ custom_id: id, params: JSON.parse(body) as unknown })),
    })
  })

  it.each([
    ['completed', { succeeded: 2 }, 2, 0],
    ['completed', { succeeded: 1, errored: 1 }, 1, 1],
    ['expired', { succeeded: 1, expired: 1 }, 1, 1],
    ['cancelled', { succeeded: 1, canceled: 1 }, 1, 1],
    ['expired', { canceled: 1, expired: 1 }, 0, 2],
  ])('ends as %s with %o', async (end, counts, succeeded, failed) => {
    expect(await polled(KIND, batch(counts))).toMatchObject({
      phase: 'ended',
      end,
      total: 2,
      succeeded,
      failed,
      queueFull: false,
    })
  })

  it('has its results where the user’s own address is, wherever the batch says', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({ body: '{"custom_id":"a"}\n' }))
    const said = await polled(KIND, batch({ succeeded: 1 }, { results_url: 'https://elsewhere.example/results' }))
    expect(await textsOf(api.results(said, NEVER))).toEqual(['{"custom_id":"a"}'])
    expect(seen[0]?.url).toBe('https://api.anthropic.com/v1/messages/batches/msgbatch_1/results')
  })

  it('is found by going from page to page', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.includes('after_id=x')
        ? { data: [batch({ succeeded: 1 })], has_more: false, last_id: 'y' }
        : { data: [batch({ succeeded: 5 })], has_more: true, last_id: 'x' },
    }))
    expect(await api.list(0, NEVER)).toMatchObject({
      is: 'said',
      value: [
        { shardId: null, said: { total: 5 } },
        { shardId: null, said: { total: 1 } },
      ],
    })
    expect(seen).toHaveLength(2)
  })
})

describe('a batch at Gemini', () => {
  const KIND = kindOf('google/gemini-2.5-flash')
  const operation = (state: string, more: object = {}) => ({
    name: 'batches/b',
    metadata: {
      state: `BATCH_STATE_${state}`,
      displayName: SHARD,
      createTime: '2026-08-19T14:34:12.267870162Z',
      batchStats: { requestCount: '2', pendingRequestCount: '2' },
      ...more,
    },
  })

  it('is a file that is uploaded in two steps, the second without the key, and a call that names it', async () => {
    const uploadUrl = 'https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=u'
    const { api, seen } = scriptedApi(KIND, ({ url }) =>
      url === uploadUrl
        ? { body: { file: { name: 'files/in' } } }
        : url.includes('/upload/')
          ? { headers: { 'x-goog-upload-url': uploadUrl } }
          : { body: operation('PENDING') },
    )
    const lines = Array.from({ length: 51 }, (_, row) => ({ id: `id-${row}`, body: `{"row":${row}}` }))
    const offer = offerOf(KIND, lines)
    expect(await api.upload(offer, NEVER)).toEqual({ is: 'said', value: 'files/in' })
    expect(await api.create(offer, 'files/in', NEVER)).toMatchObject({
      is: 'said',
      value: { batchId: 'batches/b', phase: 'validating', total: 2 },
    })
    const [start, whole, create] = seen as [Seen, Seen, Seen]
    expect(start).toMatchObject({
      url: 'https://generativelanguage.googleapis.com/upload/v1beta/files',
      headers: {
        'x-goog-api-key': KEY,
        'x-goog-upload-command': 'start',
        'x-goog-upload-header-content-length': String(Buffer.byteLength(whole.body)),
      },
    })
    expect(whole.headers).toEqual({
      'x-goog-upload-offset': '0',
      'x-goog-upload-command': 'upload, finalize',
      'content-type': 'application/jsonl',
    })
    expect(whole.body).toBe(lines.map(({ id, body }) => `{"key":"${id}","request":${body}}\n`).join(''))
    expect(create.url).toBe(
      'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:batchGenerateContent',
    )
    expect(JSON.parse(create.body)).toEqual({
      batch: { displayName: SHARD, inputConfig: { fileName: 'files/in' } },
    })
  })

  it('that is small goes without a file, within the call', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({ body: operation('PENDING') }))
    const offer = offerOf(KIND, LINES)
    const file = await api.upload(offer, NEVER)
    if (file.is !== 'said') throw new Error('it was not taken')
    expect(seen).toEqual([])
    expect(await api.create(offer, file.value, NEVER)).toMatchObject({ is: 'said', value: { batchId: 'batches/b' } })
    const [create] = seen as [Seen]
    expect(create.url).toMatch(/:batchGenerateContent$/)
    expect(create.headers).toMatchObject({ 'content-type': 'application/json', 'x-goog-api-key': KEY })
    const requests = LINES.map(({ id, body }) => ({ request: JSON.parse(body), metadata: { key: id } }))
    expect(JSON.parse(create.body)).toEqual({
      batch: { displayName: SHARD, inputConfig: { requests: { requests } } },
    })
    await api.forget(file.value ?? '', NEVER)
    expect(seen).toHaveLength(1)
  })

  it('of few requests that are large goes as a file', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({ status: 503 }))
    const body = JSON.stringify({ text: 'x'.repeat(1_000_000) })
    await api.upload(offerOf(KIND, [{ id: 'id-0', body }]), NEVER)
    expect(seen[0]?.url).toContain('/upload/v1beta/files')
  })

  it.each([
    ['PENDING', 'validating', null],
    ['RUNNING', 'running', null],
    ['SUCCEEDED', 'ended', 'completed'],
    ['FAILED', 'ended', 'failed'],
    ['CANCELLED', 'ended', 'cancelled'],
    ['EXPIRED', 'ended', 'expired'],
    ['OF_NEXT_YEAR', 'running', null],
  ])('that is %s', async (state, phase, end) => {
    const said = await polled(KIND, operation(state))
    expect(said).toMatchObject({ phase, end, queueFull: false })
    expect(said.failure === null).toBe(end !== 'failed')
  })

  it('that was cancelled, or is over, is that, whatever error stands there too', async () => {
    const error = { code: 1, message: 'cancelled' }
    expect(await polled(KIND, { ...operation('CANCELLED'), done: true, error })).toMatchObject({
      end: 'cancelled',
      failure: null,
    })
    expect(await polled(KIND, { ...operation('EXPIRED'), done: true, error: { code: 4 } })).toMatchObject({
      end: 'expired',
      failure: null,
    })
    expect(await polled(KIND, { name: 'batches/b', done: true, error })).toMatchObject({ end: 'cancelled' })
    expect(await polled(KIND, { name: 'batches/b', done: true, error: { code: 13, message: 'x' } })).toMatchObject({
      end: 'failed',
    })
    expect(await polled(KIND, { name: 'batches/b', done: true, response: { responsesFile: 'files/x' } })).toMatchObject(
      { end: 'completed', files: ['files/x'] },
    )
  })

  it('that failed for want of quota may be created again', async () => {
    const error = { code: 8, message: 'Quota exceeded for enqueued tokens' }
    expect(await polled(KIND, { ...operation('FAILED'), done: true, error })).toMatchObject({
      end: 'failed',
      queueFull: true,
      failure: { cause: 'rate_limited', retryable: true },
    })
    const refused = await scriptedApi(KIND, () => ({
      status: 429,
      body: { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Too many concurrent batch jobs' } },
    })).api.create(offerOf(KIND, LINES), 'files/in', NEVER)
    expect(refused).toMatchObject({ is: 'refused', queueFull: true })
  })

  it('has its results in a file; one that expired has none', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.includes('/download/') ? '{"key":"a"}\n{"key":"b"}\n' : operation('EXPIRED'),
    }))
    const done = await polled(KIND, operation('SUCCEEDED', { output: { responsesFile: 'files/batch-b' } }))
    expect(await textsOf(api.results(done, NEVER))).toEqual(['{"key":"a"}', '{"key":"b"}'])
    expect(seen[0]?.url).toBe(
      'https://generativelanguage.googleapis.com/download/v1beta/files/batch-b:download?alt=media',
    )
    expect(await textsOf(api.results(await polled(KIND, operation('EXPIRED')), NEVER))).toEqual([])
  })

  it('is found by its name on any page, for in which order they come is not said', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.includes('pageToken=p2')
        ? { operations: [operation('RUNNING')] }
        : {
            operations: [operation('SUCCEEDED', { displayName: 'by hand', createTime: '2020-01-01T00:00:00Z' })],
            nextPageToken: 'p2',
          },
    }))
    const answer = await api.list(Date.parse('2026-08-19T00:00:00Z'), NEVER)
    expect(answer).toMatchObject({ is: 'said', value: [{ shardId: SHARD }, { shardId: null }] })
    expect(seen.map(({ url }) => url.split('?')[1])).toEqual(['pageSize=20', 'pageSize=20&pageToken=p2'])
    expect(await scriptedApi(KIND, () => ({ body: {} })).api.list(0, NEVER)).toEqual({ is: 'said', value: [] })
  })

  it('says how it stands after it was asked to be cancelled', async () => {
    const { api, seen } = scriptedApi(KIND, ({ method }) => ({ body: method === 'POST' ? {} : operation('CANCELLED') }))
    expect(await api.cancel('batches/b', NEVER)).toMatchObject({ is: 'said', value: { end: 'cancelled' } })
    expect(seen.map(({ method, url }) => `${method} ${url.split('/v1beta/')[1]}`)).toEqual([
      'POST batches/b:cancel',
      'GET batches/b',
    ])
  })

  it('cannot lead anywhere by its name', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({ body: operation('RUNNING') }))
    await api.poll('batches/../../x?y#z', NEVER)
    expect(seen[0]?.url).toBe('https://generativelanguage.googleapis.com/v1beta/batches/-/-/x%3Fy%23z')
  })
})

describe('a batch at Mistral', () => {
  const KIND = kindOf('openai-compatible/mistral-small-latest', 'https://api.mistral.ai/v1')
  const job = (status: string, more: object = {}) => ({
    id: 'job',
    status,
    created_at: 1_700_000_000,
    total_requests: 2,
    succeeded_requests: 0,
    failed_requests: 0,
    errors: [],
    ...more,
  })

  it('is a file without the model, which the job names', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.endsWith('/files') ? { id: 'file' } : job('QUEUED'),
    }))
    const offer = offerOf(KIND, LINES)
    expect(await api.upload(offer, NEVER)).toEqual({ is: 'said', value: 'file' })
    expect(await api.create(offer, 'file', NEVER)).toMatchObject({
      is: 'said',
      value: { batchId: 'job', phase: 'validating', expiresAtMs: 1_700_086_400_000 },
    })
    const [upload, create] = seen as [Seen, Seen]
    const lines = upload.body.split(/\r?\n/).filter((line) => line.startsWith('{'))
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      LINES.map(({ id, body }) => {
        const { model: _, ...rest } = JSON.parse(body) as { model: string }
        return { custom_id: id, body: rest }
      }),
    )
    expect([create.url, JSON.parse(create.body)]).toEqual([
      'https://api.mistral.ai/v1/batch/jobs',
      {
        input_files: ['file'],
        endpoint: '/v1/chat/completions',
        model: 'mistral-small-latest',
        metadata: { sluice_shard: SHARD },
        timeout_hours: 24,
      },
    ])
  })

  it.each([
    ['QUEUED', {}, 'validating', null],
    ['RUNNING', {}, 'running', null],
    ['CANCELLATION_REQUESTED', {}, 'cancelling', null],
    ['SUCCESS', { output_file: 'out', error_file: 'err' }, 'ended', 'completed'],
    ['FAILED', { errors: [{ message: 'bad file' }] }, 'ended', 'failed'],
    ['FAILED', { error_file: 'err' }, 'ended', 'completed'],
    ['TIMEOUT_EXCEEDED', {}, 'ended', 'expired'],
    ['CANCELLED', {}, 'ended', 'cancelled'],
  ])('that is %s (%o)', async (status, more, phase, end) => {
    const said = await polled(KIND, job(status, more))
    expect(said).toMatchObject({ phase, end, createdAtMs: 1_700_000_000_000 })
    if (end === 'failed') expect(said.failure?.message).toBe('bad file')
  })

  it('is found by its metadata, page by page', async () => {
    const full = Array.from({ length: 100 }, () => job('SUCCESS', { metadata: { other: 'x' } }))
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: { data: url.includes('page=0') ? full : [job('RUNNING', { metadata: { sluice_shard: SHARD } })] },
    }))
    const answer = await api.list(0, NEVER)
    if (answer.is !== 'said') throw new Error('not said')
    expect(answer.value.filter(({ shardId }) => shardId === SHARD)).toHaveLength(1)
    expect(seen).toHaveLength(2)
  })
})
