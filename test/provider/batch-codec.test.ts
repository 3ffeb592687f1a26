import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import type { JsonSchema, ModelRequest, SchemaLevel } from '../../src/domain/request.ts'
import { GOLDEN_BODIES } from './golden-bodies.ts'
import { GOLDEN_REQUEST, GOLDEN_SCHEMA } from './golden-request.ts'
import { EXPECTED } from './recordings-expected.ts'
import { REFUSALS } from './refusals.ts'
import { ask, modelsOver, replyOf, targetOf } from './replay.ts'

const KEY = 'sk-test-0123456789abcdef'

/** A model that can reach nobody. */
function offline(id: string) {
  const models = modelsOver(() => Promise.reject(new Error('sent')), KEY)
  const target = targetOf(id, { params: { temperature: 0, max_output_tokens: 2000, reasoning_effort: 'low' } })
  return { models, target, model: models.open(target) }
}

async function encoded(id: string, schema: JsonSchema | null, more: Partial<ModelRequest> = {}) {
  const { model, target } = offline(id)
  const result = await model.encode({ target, ...GOLDEN_REQUEST, schema, ...more })
  if (!result.ok) throw new Error(result.failure.message)
  return result
}

/** What a batch's reply is decoded to, of a request of which only the shape is known any more. */
function decode(id: string, status: number, body: unknown, schema: JsonSchema | null, level: SchemaLevel = 'schema') {
  const { model, target } = offline(id)
  return model.decode(
    { target, system: null, messages: [{ role: 'user', text: '?' }], schema },
    {
      status,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      requestId: 'req_1',
      schemaLevel: schema === null ? null : level,
    },
  )
}

describe('the AI SDK, in exactly these versions,', () => {
  it('is what the bodies below are pinned to', () => {
    const require = createRequire(import.meta.url)
    const version = (name: string) => (require(`@ai-sdk/${name}/package.json`) as { version: string }).version
    expect(['openai', 'anthropic', 'google', 'openai-compatible', 'provider'].map(version)).toEqual([
      '4.0.118',
      '4.0.105',
      '4.0.121',
      '3.0.92',
      '4.0.38',
    ])
  })

  it.each(GOLDEN_BODIES)('encodes for %s (%s)', async (id, mode, path, headers, body) => {
    const schema = mode === 'schema' ? GOLDEN_SCHEMA : null
    const made = await encoded(id, schema)
    expect(made).toEqual({
      ok: true,
      url: expect.stringMatching(/^https?:/),
      headers,
      body,
      schemaLevel: schema && 'schema',
    })
    expect(new URL(made.url).pathname).toBe(path)
    expect(await encoded(id, schema)).toEqual(made)
  })
})

describe('an encoded request', () => {
  it('is of one line whatever it says, and says what the live lane would', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '\n', '\r', '\u0085', '\u2028', '\u2029', '"', '\\', '\ud800', '😀'),
    })
    await fc.assert(
      fc.asyncProperty(text, async (said) => {
        const messages = [{ role: 'user' as const, text: said }]
        const { body } = await encoded('openai/gpt-4.1-mini', null, { messages })
        expect(body).not.toMatch(/[\n\r\u0085\u2028\u2029]/)
        expect(JSON.parse(body)).toMatchObject({ messages: [{ content: 'Label.' }, { content: said }] })
      }),
    )
  })

  it('is the same as a preview, and holds no key', async () => {
    for (const [id] of GOLDEN_BODIES) {
      const made = await encoded(id, GOLDEN_SCHEMA)
      const { model, target } = offline(id)
      const { url, body } = await model.preview({ target, ...GOLDEN_REQUEST, schema: GOLDEN_SCHEMA })
      expect([made.url, JSON.parse(made.body)]).toEqual([url, JSON.parse(body)])
      expect(JSON.stringify(made)).not.toContain(KEY)
    }
  })

  it('is of one kind with those that differ in nothing but their words and parameters', async () => {
    const { models, target } = offline('openai/gpt-4.1-mini')
    const first = await encoded('openai/gpt-4.1-mini', null)
    const kind = models.batchKind(target, first)
    expect(models.batchKind({ ...target, params: { seed: 1 } }, { ...first, body: '{}' })).toBe(kind)
    expect(kind).toEqual({
      key: expect.stringMatching(/^[0-9a-f]{32}$/),
      account: models.account(target),
      target: { id: target.id, baseUrl: null, apiKeyEnv: null },
      url: 'https://api.openai.com/v1/chat/completions',
      headers: {},
      schemaLevel: null,
    })
    const others = [
      models.batchKind({ ...target, apiKeyEnv: 'OTHER_KEY' }, first),
      models.batchKind({ ...target, id: 'openai/gpt-4.1' }, first),
      models.batchKind(target, { ...first, url: 'https://api.openai.com/v1/responses' }),
      models.batchKind(target, { ...first, headers: { 'anthropic-beta': 'b' } }),
      models.batchKind(target, { ...first, schemaLevel: 'json' }),
    ]
    expect(new Set([kind, ...others].map(({ key }) => key)).size).toBe(6)
    expect(offline('openai/gpt-4.1-mini').models.batchKind(target, first).key).toBe(kind.key)
  })

  it('goes by batch wherever the provider has an API for it', () => {
    const has = (id: string, baseUrl?: string) => {
      const target = targetOf(id, baseUrl === undefined ? {} : { baseUrl })
      return modelsOver(() => Promise.reject(new Error('sent'))).batches(target)
    }
    for (const id of [
      'openai/m',
      'openai-responses/m',
      'anthropic/m',
      'google/m',
      'simulator/m',
      'openai-compatible/m',
    ])
      expect(has(id)).toEqual({ priceLanePermille: 500 })
    for (const host of [
      'https://api.groq.com/openai/v1',
      'https://api.mistral.ai/v1',
      'https://r.openai.azure.com/openai/v1',
    ])
      expect(has('openai-compatible/m', host)).not.toBeNull()
    for (const host of ['https://api.x.ai/v1', 'https://openrouter.ai/api/v1', 'https://api.deepseek.com'])
      expect(has('openai-compatible/m', host)).toBeNull()
  })
})

/** A live completion as far as a batch can give it. */
function withoutLimits(completion: Completion): Completion {
  const common = { limits: null, latencyMs: 0, providerRequestId: 'req_1' }
  if (completion.ok) return { ...completion, ...common }
  return { ...completion, ...common, failure: { ...completion.failure, retryAfterMs: null } }
}

describe('a reply that came by batch is read as it would have been live', () => {
  it.each(REFUSALS)('%s (%s)', async (_what, api, status, body) => {
    const live = await ask(`${api}/m`, replyOf(status, body, { 'x-request-id': 'req_1' }))
    expect(await decode(`${api}/m`, status, body, null)).toEqual(withoutLimits(live))
  })

  const root = join(import.meta.dirname, '../../../shared/data/recordings')
  const found = existsSync(root)
  const files = found ? readdirSync(join(root, 'single')).map((file) => `single/${file}`) : []
  it.skipIf(!found)(
    `${found ? files.length : 'skipped: ../shared/data/recordings is not here; all'} recorded ones`,
    async () => {
      for (const file of files) {
        const [api] = EXPECTED[file] as [string, string]
        const { response } = JSON.parse(readFileSync(join(root, file), 'utf8')) as {
          response: { status: number; body: string }
        }
        // Statuses that say nothing without their headers are none of a batch's.
        if (response.status >= 300 && response.status <= 399) continue
        const live = await ask(
          `${api}/recorded`,
          replyOf(response.status, response.body ?? '', { 'x-request-id': 'req_1' }),
        )
        expect(await decode(`${api}/recorded`, response.status, response.body ?? '', null), file).toEqual(
          withoutLimits(live),
        )
      }
      expect(files.length).toBeGreaterThan(150)
    },
  )
})

const chat = (message: unknown, finish_reason = 'stop') => ({
  model: 'gpt',
  choices: [{ index: 0, message: { role: 'assistant', ...(message as object) }, finish_reason }],
  usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 2 } },
})
const responses = (output: unknown, more: object = {}) => ({
  id: 'resp_1',
  created_at: 1,
  model: 'gpt',
  status: 'completed',
  output: [{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: output }],
  usage: { input_tokens: 9, output_tokens: 4, input_tokens_details: { cached_tokens: 2 } },
  ...more,
})
const anthropic = (content: unknown, stop_reason = 'end_turn') => ({
  type: 'message',
  id: 'msg_1',
  model: 'claude',
  role: 'assistant',
  content,
  stop_reason,
  usage: { input_tokens: 7, cache_read_input_tokens: 2, output_tokens: 4, service_tier: 'batch' },
})
const gemini = (text: string, finishReason = 'STOP', more: object = {}) => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason, ...more }],
  usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4, cachedContentTokenCount: 2 },
  modelVersion: 'gemini',
})

/** Answers of each API, and what is made of them: the text, how it ended. */
const ANSWERS: readonly (readonly [
  what: string,
  id: string,
  body: unknown,
  schema: boolean,
  text: string,
  finish: string,
])[] = [
  ['a text', 'openai/gpt-4.1-mini', chat({ content: 'Four.' }), false, 'Four.', 'stop'],
  ['a fit', 'openai/gpt-4.1-mini', chat({ content: '{"topic":"a","note":null}' }), true, '{"topic":"a"}', 'stop'],
  ['a refusal', 'openai/gpt-4.1-mini', chat({ content: null, refusal: 'No.' }), true, 'No.', 'refusal'],
  ['a cut', 'openai/gpt-4.1-mini', chat({ content: '{"topic":' }, 'length'), true, '{"topic":', 'length'],
  ['a filter', 'openai/gpt-4.1-mini', chat({ content: '' }, 'content_filter'), false, '', 'content_filter'],
  [
    'a text',
    'openai-responses/gpt-5-mini',
    responses([{ type: 'output_text', text: 'Four.', annotations: [] }]),
    false,
    'Four.',
    'stop',
  ],
  [
    'a fit',
    'openai-responses/gpt-5-mini',
    responses([{ type: 'output_text', text: '{"topic":"a","note":null}', annotations: [] }]),
    true,
    '{"topic":"a"}',
    'stop',
  ],
  [
    'a refusal',
    'openai-responses/gpt-5-mini',
    responses([{ type: 'refusal', refusal: 'No.' }]),
    true,
    'No.',
    'refusal',
  ],
  [
    'a cut',
    'openai-responses/gpt-5-mini',
    responses([{ type: 'output_text', text: 'Fo', annotations: [] }], {
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    }),
    false,
    'Fo',
    'length',
  ],
  ['a text', 'anthropic/claude-sonnet-4-5', anthropic([{ type: 'text', text: 'Four.' }]), false, 'Four.', 'stop'],
  [
    'a fit',
    'anthropic/claude-sonnet-4-5',
    anthropic([{ type: 'text', text: '{"topic":"a"}' }]),
    true,
    '{"topic":"a"}',
    'stop',
  ],
  [
    'a fit by a tool',
    'anthropic/claude-3-haiku-20240307',
    anthropic([{ type: 'tool_use', id: 't', name: 'json', input: { topic: 'a' } }], 'tool_use'),
    true,
    '{"topic":"a"}',
    'stop',
  ],
  [
    'a refusal',
    'anthropic/claude-sonnet-4-5',
    anthropic([{ type: 'text', text: 'No.' }], 'refusal'),
    true,
    'No.',
    'refusal',
  ],
  [
    'a cut',
    'anthropic/claude-sonnet-4-5',
    anthropic([{ type: 'text', text: 'Fo' }], 'max_tokens'),
    false,
    'Fo',
    'length',
  ],
  ['a text', 'google/gemini-2.5-flash', gemini('Four.'), false, 'Four.', 'stop'],
  ['a fit', 'google/gemini-2.5-flash', gemini('{"topic":"a"}'), true, '{"topic":"a"}', 'stop'],
  [
    'a filter',
    'google/gemini-2.5-flash',
    {
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4, cachedContentTokenCount: 2 },
      modelVersion: 'gemini',
    },
    false,
    '',
    'content_filter',
  ],
  ['a cut', 'google/gemini-2.5-flash', gemini('Fo', 'MAX_TOKENS'), false, 'Fo', 'length'],
  ['a text', 'openai-compatible/llama', chat({ content: 'Four.' }), false, 'Four.', 'stop'],
  ['a fit', 'openai-compatible/llama', chat({ content: '{"topic":"a","note":null}' }), true, '{"topic":"a"}', 'stop'],
]

describe('an answer that came by batch', () => {
  it.each(ANSWERS)('%s from %s', async (_what, id, body, schema, text, finish) => {
    const completion = await decode(id, 200, body, schema ? GOLDEN_SCHEMA : null)
    expect(completion).toEqual({
      ok: true,
      text,
      finish,
      usage: { inputTokens: 9, cachedInputTokens: 2, cacheWriteTokens: 0, outputTokens: 4, reasoningTokens: 0 },
      limits: null,
      providerRequestId: 'req_1',
      latencyMs: 0,
      modelAnswered: id.startsWith('google') ? 'gemini' : id.startsWith('anthropic') ? 'claude' : 'gpt',
    })
  })

  it('that Gemini would go on with is cut where it left off, with all its tokens', async () => {
    const body = gemini('Fo', 'CONTINUATION', { continuationToken: 'more' })
    expect(await decode('google/gemini-2.5-flash', 200, body, null)).toMatchObject({
      ok: true,
      text: 'Fo',
      finish: 'length',
      usage: { inputTokens: 9, outputTokens: 4 },
    })
  })
})

describe('a schema that the server refuses in a batch', () => {
  const refusal = {
    error: { message: 'response_format is not supported by this model', type: 'invalid_request_error' },
  }
  const asked = (body: string) => (JSON.parse(body) as { response_format?: { type: string } }).response_format?.type

  it('is put more plainly next, once for all rows of the batch', async () => {
    const { model, target } = offline('openai-compatible/llama')
    const request: ModelRequest = { target, ...GOLDEN_REQUEST, schema: GOLDEN_SCHEMA }
    const seen: unknown[] = []
    for (const level of ['schema', 'json', 'words'] as const) {
      const sent = await model.encode(request)
      if (!sent.ok) throw new Error('not encoded')
      expect(sent.schemaLevel).toBe(level)
      const reply = { status: 400, body: JSON.stringify(refusal), requestId: null, schemaLevel: level }
      const rows = [
        await model.decode(request, reply),
        await model.decode(request, reply),
        await model.decode(request, reply),
      ]
      seen.push([asked(sent.body), ...rows.map((row) => (row.ok ? 'ok' : row.failure.retryable))])
    }
    expect(seen).toEqual([
      ['json_schema', true, true, true],
      ['json_object', true, true, true],
      [undefined, false, false, false],
    ])
  })

  it('leaves replies readable that were asked for before, here or elsewhere', async () => {
    const { model, target } = offline('anthropic/claude-3-haiku-20240307')
    const request: ModelRequest = { target, ...GOLDEN_REQUEST, schema: GOLDEN_SCHEMA }
    const byTool = JSON.stringify(
      anthropic([{ type: 'tool_use', id: 't', name: 'json', input: { topic: 'a' } }], 'tool_use'),
    )
    const byWords = JSON.stringify(anthropic([{ type: 'text', text: '{"topic":"b"}' }]))
    const read = async (body: string, schemaLevel: SchemaLevel) => {
      const completion = await model.decode(request, { status: 200, body, requestId: null, schemaLevel })
      return completion.ok ? completion.text : completion.failure
    }
    expect(await read(byWords, 'words')).toBe('{"topic":"b"}')
    expect(await read(byTool, 'schema')).toBe('{"topic":"a"}')
    expect(await model.encode(request)).toMatchObject({ ok: true, schemaLevel: 'words' })
  })
})
