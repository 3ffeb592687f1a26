import { describe, expect, it } from 'vitest'
import type { BatchSaid } from '../../../src/domain/batch.ts'
import { HAS_RECORDINGS, readReported } from './recorded-flow.ts'
import {
  KEY,
  kindOf,
  LINES,
  NEVER,
  offerOf,
  type Scripted,
  type Seen,
  SHARD,
  scriptedApi,
  textsOf,
} from './scripted.ts'

const KIND = kindOf('openai/gpt-4.1-mini')

const batch = (more: object = {}) => ({
  id: 'batch_1',
  object: 'batch',
  status: 'in_progress',
  created_at: 1_700_000_000,
  expires_at: 1_700_086_400,
  request_counts: { total: 2, completed: 0, failed: 0 },
  metadata: { sluice_shard: SHARD },
  ...more,
})

async function polled(body: unknown): Promise<BatchSaid> {
  const answer = await scriptedApi(KIND, () => ({ body })).api.poll('batch_1', NEVER)
  if (answer.is !== 'said') throw new Error(JSON.stringify(answer))
  return answer.value
}

describe('a batch at OpenAI', () => {
  it('that counts answers, and does not name their file yet, says so', async () => {
    const counts = { total: 2, completed: 1, failed: 1 }
    const done = { status: 'completed', request_counts: counts, error_file_id: 'file-err' }
    expect(await polled(batch({ ...done, output_file_id: null }))).toMatchObject({
      files: ['file-err'],
      filesDue: true,
    })
    expect(await polled(batch({ ...done, output_file_id: 'file-out' }))).not.toHaveProperty('filesDue')
    const allFailed = { ...done, request_counts: { total: 2, completed: 0, failed: 2 } }
    expect(await polled(batch(allFailed))).not.toHaveProperty('filesDue')
    expect(await polled(batch({ request_counts: counts }))).not.toHaveProperty('filesDue')
  })

  it('is uploaded as a file and created with the shard’s id', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.endsWith('/files') ? { id: 'file-1' } : batch(),
    }))
    const offer = offerOf(KIND, LINES)
    expect(await api.upload(offer, NEVER)).toEqual({ is: 'said', value: 'file-1' })
    expect(await api.create(offer, 'file-1', NEVER)).toMatchObject({
      is: 'said',
      value: { batchId: 'batch_1', phase: 'running', createdAtMs: 1_700_000_000_000, expiresAtMs: 1_700_086_400_000 },
    })
    const [upload, create] = seen as [Seen, Seen]
    expect(upload).toMatchObject({
      method: 'POST',
      url: 'https://api.openai.com/v1/files',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': `multipart/form-data; boundary=sluice-${SHARD}` },
    })
    expect(upload.body.split('\r\n')).toEqual([
      `--sluice-${SHARD}`,
      'content-disposition: form-data; name="purpose"',
      '',
      'batch',
      `--sluice-${SHARD}`,
      `content-disposition: form-data; name="file"; filename="sluice-${SHARD}.jsonl"`,
      'content-type: application/jsonl',
      '',
      `${LINES.map(({ id, body }) => `{"custom_id":"${id}","method":"POST","url":"/v1/chat/completions","body":${body}}`).join('\n')}\n`,
      `--sluice-${SHARD}--`,
      '',
    ])
    expect([create.url, JSON.parse(create.body)]).toEqual([
      'https://api.openai.com/v1/batches',
      {
        input_file_id: 'file-1',
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
        metadata: { sluice_shard: SHARD },
      },
    ])
  })

  it('is understood by a real reader of forms', async () => {
    const { api, seen } = scriptedApi(KIND, () => ({ body: { id: 'file-1' } }))
    await api.upload(offerOf(KIND, LINES), NEVER)
    const { headers, body } = seen[0] as Seen
    const form = await new Response(body, { headers: { 'content-type': headers['content-type'] as string } }).formData()
    expect(form.get('purpose')).toBe('batch')
    const file = form.get('file') as File
    expect(
      (await file.text())
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    ).toEqual(
      LINES.map(({ id, body }) => ({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: JSON.parse(body),
      })),
    )
  })

  it.each([
    ['openai-responses/gpt-5-mini', null, '/v1/responses'],
    ['openai-compatible/llama', 'https://api.groq.com/openai/v1', '/v1/chat/completions'],
    ['openai-compatible/gpt', 'https://house.openai.azure.com/openai/v1', '/chat/completions'],
    ['simulator/any', 'http://127.0.0.1:4778/v1', '/v1/chat/completions'],
  ])('of %s at %s goes to %s', async (id, baseUrl, endpoint) => {
    const kind = kindOf(id, baseUrl)
    const { api, seen } = scriptedApi(kind, () => ({ body: batch() }))
    await api.create(offerOf(kind, LINES), 'file-1', NEVER)
    expect(JSON.parse((seen[0] as Seen).body)).toMatchObject({ endpoint })
    expect((seen[0] as Seen).url).toBe(`${baseUrl ?? 'https://api.openai.com/v1'}/batches`)
  })

  it.each([
    ['validating', { phase: 'validating', end: null }],
    ['in_progress', { phase: 'running', end: null }],
    ['finalizing', { phase: 'finalizing', end: null }],
    ['cancelling', { phase: 'cancelling', end: null }],
    ['completed', { phase: 'ended', end: 'completed' }],
    ['expired', { phase: 'ended', end: 'expired' }],
    ['cancelled', { phase: 'ended', end: 'cancelled' }],
    ['failed', { phase: 'ended', end: 'failed' }],
    ['a state of next year', { phase: 'running', end: null }],
  ])('that is %s', async (status, expected) => {
    expect(await polled(batch({ status }))).toMatchObject(expected)
  })

  it('does not say how many requests it has until it has read them', async () => {
    expect(
      (await polled(batch({ status: 'validating', request_counts: { total: 0, completed: 0, failed: 0 } }))).total,
    ).toBeNull()
  })

  it.each([
    [
      'an unknown model',
      { code: 'model_not_found', message: 'no such model', line: 1 },
      'credentials',
      'line 1: model_not_found: no such model',
    ],
    [
      'an empty account',
      { code: 'billing_hard_limit_reached', message: 'Billing hard limit has been reached.' },
      'quota_exhausted',
      'billing_hard_limit_reached: Billing hard limit has been reached.',
    ],
    [
      'a line that is none',
      { code: 'invalid_json_line', message: 'not JSON', line: 7 },
      'provider_error',
      'line 7: invalid_json_line: not JSON',
    ],
  ])('that failed for %s says so', async (_what, error, cause, message) => {
    const said = await polled(batch({ status: 'failed', errors: { object: 'list', data: [error] } }))
    expect(said).toMatchObject({
      end: 'failed',
      queueFull: false,
      failure: { cause, message, retryable: true, status: null },
    })
  })

  it('that failed without a word has a failure all the same', async () => {
    expect((await polled(batch({ status: 'failed', errors: null }))).failure).toMatchObject({ cause: 'provider_error' })
  })

  it.skipIf(!HAS_RECORDINGS)(
    `that found the queue full may be created again${HAS_RECORDINGS ? '' : ' (skipped: ../shared/data/recordings is not here)'}`,
    async () => {
      const error = readReported('openai_batch_error_token_limit_exceeded')
      const said = await polled(batch({ status: 'failed', errors: { data: [error] } }))
      expect(said).toMatchObject({
        end: 'failed',
        queueFull: true,
        failure: { cause: 'rate_limited', providerCode: 'token_limit_exceeded' },
      })
      expect(said.failure?.message).toContain('Limit: 2,000,000 enqueued tokens')
      const allFailed = await polled(readReported('openai_batch_completed_all_failed'))
      expect(allFailed).toMatchObject({
        end: 'completed',
        total: 9,
        succeeded: 0,
        failed: 9,
        files: ['file-QzTKe9srv1bbmpX5MwCTZx'],
      })
    },
  )
})

describe('its results', () => {
  const files: Readonly<Record<string, Scripted>> = {
    'https://api.openai.com/v1/files/file-out/content': { body: '{"a":1}\n\n{"a":2}\r\n' },
    'https://api.openai.com/v1/files/file-err/content': { body: '{"b":1}' },
  }
  const results = async (said: object, more: Readonly<Record<string, Scripted>> = {}) => {
    const { api } = scriptedApi(KIND, ({ url }) => ({ ...files, ...more })[url] ?? { status: 404 })
    return textsOf(api.results(await polled(batch({ status: 'completed', ...said })), NEVER))
  }

  it('come from both files, line by line, whatever is missing', async () => {
    expect(await results({ output_file_id: 'file-out', error_file_id: 'file-err' })).toEqual([
      '{"a":1}',
      '{"a":2}\r',
      '{"b":1}',
    ])
    expect(await results({ output_file_id: 'file-out', error_file_id: null })).toEqual(['{"a":1}', '{"a":2}\r'])
    expect(await results({ output_file_id: null, error_file_id: 'file-err' })).toEqual(['{"b":1}'])
    expect(await results({ output_file_id: null })).toEqual([])
  })

  it('break off with a name for it', async () => {
    const url = 'https://api.openai.com/v1/files/file-out/content'
    const broken = (reply: Scripted) =>
      results({ output_file_id: 'file-out', error_file_id: 'file-err' }, { [url]: reply })
    await expect(broken({ status: 502, body: '<html><title>502 Bad Gateway</title></html>' })).rejects.toMatchObject({
      name: 'ResultsCut',
      failure: { cause: 'provider_error', status: 502, retryable: true },
    })
    await expect(broken(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).rejects.toMatchObject({
      name: 'ResultsCut',
      failure: { cause: 'connection' },
    })
  })
})

describe('a list of batches', () => {
  const page = (ids: number[], has_more: boolean) => ({
    object: 'list',
    data: ids.map((n) => batch({ id: `batch_${n}`, created_at: 1_700_000_000 - n })),
    has_more,
  })

  it('goes on until one is too old, and says whose each is', async () => {
    const { api, seen } = scriptedApi(KIND, ({ url }) => ({
      body: url.includes('after=batch_2') ? page([3, 100], true) : page([1, 2], true),
    }))
    const answer = await api.list(1_700_000_000_000 - 50_000, NEVER)
    if (answer.is !== 'said') throw new Error('not said')
    expect(answer.value.map(({ said, shardId }) => [said.batchId, shardId])).toEqual(
      [1, 2, 3, 100].map((n) => [`batch_${n}`, SHARD]),
    )
    expect(seen.map(({ url }) => url)).toEqual([
      'https://api.openai.com/v1/batches?limit=100',
      'https://api.openai.com/v1/batches?limit=100&after=batch_2',
    ])
  })

  it('is no list where a page of it cannot be had or read, or where it has no end', async () => {
    const list = (second: Scripted) =>
      scriptedApi(KIND, ({ url }) => (url.includes('after=') ? second : { body: page([1, 2], true) })).api.list(
        0,
        NEVER,
      )
    expect(await list({ status: 500 })).toMatchObject({ is: 'unknown' })
    expect(await list({ status: 401, body: { error: { message: 'no', code: 'invalid_api_key' } } })).toMatchObject({
      is: 'refused',
      failure: { cause: 'credentials' },
    })
    expect(await list({ body: { data: [{ id: 'batch_3' }] } })).toMatchObject({ is: 'unknown' })
    expect(await list({ body: page([1, 2], true) })).toMatchObject({
      is: 'unknown',
      failure: { message: 'the list of batches does not end' },
    })
    expect(await list({ body: page([], false) })).toMatchObject({ is: 'said' })
  })
})

it('what is no longer needed is removed, and it does not matter whether it could be', async () => {
  const { api, seen } = scriptedApi(KIND, () => ({ status: 500 }))
  await api.forget('file-1', NEVER)
  expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(['DELETE https://api.openai.com/v1/files/file-1'])
})
