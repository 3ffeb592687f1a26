import OpenAI from 'openai'
import { describe, expect, it, vi } from 'vitest'
import { bearer } from './api.ts'
import { batchOf, chatLine, linesOf, openAiWorld, until, upload } from './openai-world.ts'

const TICKET = {
  type: 'json_schema',
  json_schema: {
    name: 'ticket',
    strict: true,
    schema: {
      type: 'object',
      properties: { topic: { type: 'string', enum: ['login', 'bug'] }, urgent: { type: 'boolean' } },
      required: ['topic', 'urgent'],
      additionalProperties: false,
    },
  },
}

const WAIT_MS = 60_000
const CHAT = '/v1/chat/completions'
const HOUR_MS = 3_600_000

describe('a batch of the official client', () => {
  it('comes back whole, whoever the provider is', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld()
    const comesBack = async (model: string) => {
      const lines = [
        chatLine('plain', 'My login fails.', {}, model),
        chatLine('json', 'There is a bug.', { response_format: TICKET, max_tokens: 200 }, model),
        chatLine('short', 'Tell me a long story about login and bug and more.', { max_completion_tokens: 2 }, model),
      ]
      const made = await batchOf(client, lines)
      expect(made).toMatchObject({ object: 'batch', status: 'validating', endpoint: CHAT, metadata: { who: 'me' } })
      const batch = await until(client, made.id, 'completed')
      expect(batch.request_counts).toEqual({ total: 3, completed: 3, failed: 0 })
      expect(batch.error_file_id).toBeNull()
      expect((await client.files.retrieve(batch.output_file_id ?? '')).expires_at).toBeUndefined()
      const answers = await linesOf(client, batch.output_file_id)
      expect(answers.map((line) => line.custom_id)).toEqual(['plain', 'json', 'short'])
      const choices = answers.map(({ response }) => response.body.choices[0])
      expect(choices.map((choice) => choice.finish_reason)).toEqual(['stop', 'stop', 'length'])
      const ticket = { topic: expect.stringMatching(/login|bug/), urgent: expect.any(Boolean) }
      expect(JSON.parse(choices[1].message.content)).toEqual(ticket)
      const used = answers.reduce((sum, { response }) => sum + response.body.usage.total_tokens, 0)
      expect(batch.usage?.total_tokens).toBe(used)
    }
    await Promise.all(['fast', 'gpt-test', 'claude-test'].map(comesBack))
  })

  it('may be of responses', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld()
    const body = { model: 'fast', instructions: 'Be brief.', input: 'Hello there.' }
    const made = await batchOf(
      client,
      [{ custom_id: 'a', method: 'POST', url: '/v1/responses', body }],
      '/v1/responses',
    )
    const [line] = await linesOf(client, (await until(client, made.id, 'completed')).output_file_id)
    expect(line.response.body).toMatchObject({
      object: 'response',
      status: 'completed',
      output: [{ content: [{ type: 'output_text' }] }],
    })
  })

  it('tells how many tokens were cached, and thought, of each answer and in all', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld({ provider: { extraOutput: { median: 20, p99: 20 } } })
    const long = 'The rules of this house are long. '.repeat(300)
    const lines = ['a', 'b', 'c'].map((id) => chatLine(id, `${long} Row ${id}.`, {}, 'gpt-test'))
    const { id } = await batchOf(client, lines)
    const batch = await until(client, id, 'completed')
    const usages = (await linesOf(client, batch.output_file_id)).map(({ response }) => response.body.usage)
    const cached = usages.map((usage) => usage.prompt_tokens_details.cached_tokens as number)
    const thought = usages.map((usage) => usage.completion_tokens_details.reasoning_tokens as number)
    expect(Math.max(...cached)).toBeGreaterThan(1_000)
    expect(thought).toEqual([20, 20, 20])
    expect(batch.usage).toMatchObject({
      input_tokens_details: { cached_tokens: cached.reduce((sum, each) => sum + each, 0) },
      output_tokens_details: { reasoning_tokens: 60 },
    })
  })

  it('names its model, and lets its files go in time', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld({ provider: { contextTokens: 50 } })
    const output_expires_after = { anchor: 'created_at', seconds: 3_600 } as const
    const lines = [chatLine('a', 'x', {}, 'gpt-test'), chatLine('b', 'word '.repeat(500), {}, 'gpt-test')]
    const made = await batchOf(client, lines, CHAT, { output_expires_after })
    expect(made).toMatchObject({ model: 'gpt-test' })
    const batch = await until(client, made.id, 'completed')
    for (const id of [batch.output_file_id, batch.error_file_id]) {
      const file = await client.files.retrieve(id ?? '')
      expect((file.expires_at ?? 0) - file.created_at).toBe(3_600)
    }
  })

  it('waits in sight where nobody has the key of its provider', { timeout: WAIT_MS }, async () => {
    const { client, api } = await openAiWorld({ providerKey: null })
    const { id } = await batchOf(client, [chatLine('a', 'x', {}, 'gpt-test')])
    expect(await until(client, id, 'in_progress')).toMatchObject({ errors: null, failed_at: null })
    const look = async () =>
      (
        await api.app.inject({ url: `/api/v1/jobs/${id.replace('batch', 'job')}`, headers: bearer(await api.key()) })
      ).json()
    await vi.waitFor(
      async () => expect(await look()).toMatchObject({ state: 'paused', reason: 'credentials' }),
      WAIT_MS,
    )
    expect((await client.batches.retrieve(id)).status).toBe('in_progress')
  })

  it('fails with every line that is wrong, and is never asked', { timeout: WAIT_MS }, async () => {
    const { api, client } = await openAiWorld()
    const ends: unknown[] = []
    api.service.events.on('job.ended', (event) => void ends.push(event))
    const lines = [
      chatLine('a', 'x'),
      chatLine('a', 'x'),
      '{"custom_id": "b"',
      { ...chatLine('c', 'x'), url: '/v1/embeddings' },
      chatLine('d', 'x', { stream: true }),
      chatLine('e', 'x', { tools: [{ type: 'function', function: { name: 'f' } }] }),
      chatLine('f', 'x', {}, 'gpt-test'),
      chatLine('g', 'x', {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'n', schema: { type: 'object', properties: { a: { type: 'colour' } } } },
        },
      }),
    ]
    const { id } = await batchOf(client, lines)
    const batch = await until(client, id, 'failed')
    expect(batch.errors?.data?.map(({ code, line, param }) => [code, line, param])).toEqual([
      ['duplicate_custom_id', 2, 'custom_id'],
      ['invalid_json_line', 3, null],
      ['url_mismatch', 4, 'url'],
      ['invalid_value', 5, 'body.stream'],
      ['unsupported_parameter', 6, 'body.tools'],
      ['model_mismatch', 7, 'body.model'],
      ['invalid_json_schema', 8, 'body.response_format'],
    ])
    expect(batch).toMatchObject({
      output_file_id: null,
      error_file_id: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
    })
    expect(batch.failed_at).toBeGreaterThan(0)
    expect(ends).toMatchObject([{ state: 'failed', round: 0 }])
  })

  it('fails as a whole with a model that is not to be had, a first line that is none, and nothing', {
    timeout: WAIT_MS,
  }, async () => {
    const { client } = await openAiWorld()
    const errorsOf = async (lines: readonly (object | string)[]) => {
      const { id } = await batchOf(client, lines)
      return (await until(client, id, 'failed')).errors?.data?.map(({ code, line }) => [code, line])
    }
    const nobody = [chatLine('a', 'x', {}, 'nobody')]
    expect(await Promise.all([errorsOf(nobody), errorsOf(['?', chatLine('a', 'x')]), errorsOf([''])])).toEqual([
      [['model_not_found', 1]],
      [['invalid_json_line', 1]],
      [['empty_file', null]],
    ])
  })

  it('may begin with a line of megabytes, and hold what lines may hold', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld()
    const long = JSON.stringify(chatLine('long', 'y'.repeat(5_000_000)))
    const odd = JSON.stringify(chatLine('日本 😀\n', 'a\0b'))
    const twice = JSON.stringify(chatLine('twice', 'x')).replace('"model"', '"model":"nobody","model"')
    const { id } = await batchOf(client, [`\uFEFF${long}\r`, '', odd, ' \r', twice])
    const batch = await until(client, id, 'completed')
    const answered = (await linesOf(client, batch.output_file_id)).map((line) => line.custom_id)
    expect(answered).toEqual(['long', '日本 😀\n', 'twice'])
  })

  it('fails where its file is deleted before it is checked', { timeout: WAIT_MS }, async () => {
    const { client, api } = await openAiWorld({ idle: true })
    const made = await batchOf(client, [chatLine('a', 'x')])
    await client.files.delete(made.input_file_id)
    const stop = new AbortController()
    const worker = await api.service.engine(1).workAny({ concurrency: null, signal: stop.signal, abandon: stop.signal })
    const batch = await until(client, made.id, 'failed')
    stop.abort()
    await worker.done
    expect(batch.errors?.data).toMatchObject([{ code: 'file_not_found', line: null }])
  })

  it('tells of requests that cannot be answered in its error file', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld({ provider: { contextTokens: 50 } })
    const made = await batchOf(client, [
      chatLine('good', 'Hello.', {}, 'gpt-test'),
      chatLine('long', 'word '.repeat(500), {}, 'gpt-test'),
    ])
    const batch = await until(client, made.id, 'completed')
    expect(batch.request_counts).toEqual({ total: 2, completed: 1, failed: 1 })
    expect((await linesOf(client, batch.output_file_id)).map((line) => line.custom_id)).toEqual(['good'])
    expect(await linesOf(client, batch.error_file_id)).toMatchObject([
      { custom_id: 'long', response: null, error: { code: 'context_too_long' } },
    ])
  })

  it('is ended by whoever made it, or by its time, with why each request has no answer', {
    timeout: WAIT_MS,
  }, async () => {
    const hours = { medianMs: HOUR_MS, p99Ms: HOUR_MS }
    const { client, skip } = await openAiWorld({ provider: { batches: { running: hours } } })
    const lines = [chatLine('a', 'x', {}, 'gpt-test'), chatLine('b', 'y', {}, 'gpt-test')]
    const [first, second] = [await batchOf(client, lines), await batchOf(client, lines)]
    await until(client, first.id, 'in_progress')
    expect((await client.batches.cancel(first.id)).status).toMatch(/^cancell(ing|ed)$/)
    const cancelled = await until(client, first.id, 'cancelled')
    expect(cancelled).toMatchObject({ output_file_id: null, cancelled_at: expect.any(Number) })
    const codes = async (batch: OpenAI.Batch) =>
      (await linesOf(client, batch.error_file_id)).map(({ custom_id, error }) => [custom_id, error.code])
    expect(await codes(cancelled)).toEqual([
      ['a', 'batch_cancelled'],
      ['b', 'batch_cancelled'],
    ])
    expect(await client.batches.cancel(first.id).catch((error) => error)).toBeInstanceOf(OpenAI.ConflictError)

    await until(client, second.id, 'in_progress')
    skip(25 * HOUR_MS)
    const expired = await until(client, second.id, 'expired')
    expect(expired).toMatchObject({ expired_at: expect.any(Number), cancelled_at: null, completed_at: null })
    expect(await codes(expired)).toEqual([
      ['a', 'batch_expired'],
      ['b', 'batch_expired'],
    ])
  })

  it('that nobody has begun to check is cancelled too', { timeout: WAIT_MS }, async () => {
    const { client } = await openAiWorld({ idle: true })
    const made = await batchOf(client, [chatLine('a', 'x')])
    expect(await client.batches.cancel(made.id)).toMatchObject({ status: 'cancelling' })
    expect(await client.batches.cancel(made.id)).toMatchObject({ status: 'cancelling', output_file_id: null })
  })

  it('is over when a worker leaves that is to leave when nothing is left', { timeout: WAIT_MS }, async () => {
    const { client, api } = await openAiWorld({ idle: true })
    const batches = [await batchOf(client, [chatLine('a', 'x')]), await batchOf(client, ['?'])]
    const { signal } = new AbortController()
    const asked = { concurrency: null, untilIdle: true, signal, abandon: signal }
    await (await api.service.engine(1).workAny(asked)).done
    const ends = await Promise.all(batches.map(({ id }) => client.batches.retrieve(id)))
    expect(ends.map(({ status }) => status)).toEqual(['completed', 'failed'])
    expect(await linesOf(client, ends[0]?.output_file_id)).toHaveLength(1)
  })

  it('is told of to whom its tenant has, else to whom all have', async () => {
    const config = `openai_notify: { webhook: "https://127.0.0.1:9/a", tenants: { search: { webhook: "https://127.0.0.1:9/b" } } }`
    const { client, clientOf, api } = await openAiWorld({ idle: true, config })
    const search = await api.tenant('search')
    const hears = async (of: OpenAI, tenantNo: number) => {
      const { id } = await batchOf(of, [chatLine('a', 'x', {}, 'nobody')])
      const stop = new AbortController()
      const worker = await api.service
        .engine(1)
        .workAny({ concurrency: null, signal: stop.signal, abandon: stop.signal })
      await until(of, id, 'failed')
      stop.abort()
      await worker.done
      return (await api.service.engine(tenantNo).notices({ limit: 9 })).map(({ type, target }) => [type, target])
    }
    const target = (url: string) => ({ kind: 'webhook', address: { url }, secretEnv: null })
    expect(await hears(client, 1)).toEqual([['batch.failed', target('https://127.0.0.1:9/a')]])
    expect(await hears(clientOf(await api.key(undefined, search)), search)).toEqual([
      ['batch.failed', target('https://127.0.0.1:9/b')],
    ])
  })

  it('is refused where it asks for what is not to be had', async () => {
    const { client } = await openAiWorld({ idle: true })
    const file = await upload(client, [chatLine('a', 'x')])
    const make = (more: object) =>
      client.batches
        .create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', ...more })
        .catch((error) => error)
    expect(await make({ endpoint: '/v1/embeddings' })).toBeInstanceOf(OpenAI.BadRequestError)
    expect(await make({ endpoint: '/v1/embeddings' })).toMatchObject({
      param: 'endpoint',
      message: expect.stringContaining('Embeddings'),
    })
    expect(await make({ completion_window: '1h' })).toMatchObject({ status: 400, param: 'completion_window' })
    expect(await make({ input_file_id: 'file-nobody' })).toMatchObject({ status: 400, param: 'input_file_id' })
    expect(await client.batches.retrieve('batch_nobody').catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
  })

  const pairs = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v']))

  it('is refused with which parameter is wrong, and how', async () => {
    const wrong = [
      [{ metadata: pairs }, 'metadata', /16 pairs at the most, and has 17/],
      [{ metadata: { a: 1 } }, 'metadata', /'metadata.a': it must be string, and is 1/],
      [{ metadata: { a: { b: 'c' } } }, 'metadata', /'metadata.a': it must be string/],
      [
        { metadata: { a: 'x'.repeat(600) } },
        'metadata',
        /'metadata.a': it may have 512 characters at the most, and has 600/,
      ],
      [{ metadata: { ['k'.repeat(65)]: 'v' } }, 'metadata', /name "kkk.*" is too long/],
      [{ metadata: [] }, 'metadata', /must be object,null/],
      [{ output_expires_after: { anchor: 'created_at', seconds: 3_599 } }, 'output_expires_after.seconds', /3600/],
      [
        { output_expires_after: { anchor: 'created_at', seconds: 2_592_001 } },
        'output_expires_after.seconds',
        /2592000/,
      ],
      [
        { output_expires_after: { anchor: 'last_active_at', seconds: 3_600 } },
        'output_expires_after.anchor',
        /created_at/,
      ],
      [{ output_expires_after: { seconds: 3_600 } }, 'output_expires_after.anchor', /Missing required/],
      [{ endpoint: undefined }, 'endpoint', /Missing required parameter: 'endpoint'/],
      [{ completion_windows: '24h' }, 'completion_windows', /Unknown parameter: 'completion_windows'/],
    ] as const
    const { client } = await openAiWorld({ idle: true })
    for (const [more, param, message] of wrong) {
      const asked = { input_file_id: 'file_x', endpoint: CHAT, completion_window: '24h', ...more }
      const error = await client.batches.create(asked as OpenAI.BatchCreateParams).catch((thrown) => thrown)
      expect(error).toMatchObject({
        status: 400,
        param,
        type: 'invalid_request_error',
        message: expect.stringMatching(message),
      })
    }
  })

  it('is listed only as can be', async () => {
    const wrong = [
      ['batches?limit=0', 'limit'],
      ['batches?limit=101', 'limit'],
      ['batches?limit=many', 'limit'],
      ['batches?after=batch_nobody', 'after'],
      ['batches?after=', 'after'],
      ['batches?sort=up', 'sort'],
      ['files?limit=0', 'limit'],
      ['files?limit=10001', 'limit'],
      ['files?order=sideways', 'order'],
      ['files?after=nobody', 'after'],
      ['files?after=', 'after'],
      ['files?purpose=', 'purpose'],
    ] as const
    const { url, api } = await openAiWorld({ idle: true })
    const headers = bearer(await api.key())
    for (const [path, param] of wrong) {
      const answer = await fetch(`${url}/v1/${path}`, { headers })
      const error = { param, type: 'invalid_request_error' }
      expect([path, answer.status, await answer.json()]).toMatchObject([path, 400, { error }])
    }
  })

  it('is listed newest first, page by page, to its tenant alone', async () => {
    const { client, clientOf, api } = await openAiWorld({ idle: true })
    const ids: string[] = []
    for (let at = 0; at < 5; at++) ids.unshift((await batchOf(client, [chatLine('a', 'x')])).id)
    const listed: string[] = []
    for await (const { id } of client.batches.list({ limit: 2 })) listed.push(id)
    expect(listed).toEqual(ids)
    const other = clientOf(await api.key(undefined, await api.tenant('other')))
    expect((await other.batches.list()).data).toEqual([])
    const [id = ''] = ids
    expect(await other.batches.retrieve(id).catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
    expect(await other.batches.cancel(id).catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
  })
})
