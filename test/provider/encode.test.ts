import { describe, expect, it } from 'vitest'
import type { JsonSchema, ModelParams } from '../../src/domain/request.ts'
import type { WireRequest } from '../../src/provider/wire.ts'
import { ask, modelsOver, replyOf, targetOf } from './replay.ts'

const schema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['a', 'b'] },
    score: { type: 'number', minimum: 0 },
    note: { type: 'string', maxLength: 9 },
  },
  required: ['topic', 'score'],
}

async function preview(id: string, params: ModelParams = {}, output: JsonSchema | null = schema) {
  const target = targetOf(id, { params })
  const model = modelsOver(() => Promise.reject(new Error('sent'))).open(target)
  const messages = [
    { role: 'user' as const, text: 'Hi' },
    { role: 'assistant' as const, text: '{"topic":' },
    { role: 'user' as const, text: 'Valid JSON only.' },
  ]
  const { url, body, warnings } = await model.preview({ target, system: 'Label.', messages, schema: output })
  return { url, warnings, body: JSON.parse(body) as Record<string, unknown> }
}

const strictSchema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['a', 'b'] },
    score: { type: 'number', minimum: 0 },
    note: { type: ['string', 'null'], description: '(maxLength: 9)' },
  },
  required: ['topic', 'score', 'note'],
  additionalProperties: false,
}

describe('what is sent', () => {
  it('to OpenAI’s chat completions', async () => {
    const params: ModelParams = { temperature: 0, top_p: 0.5, max_output_tokens: 200, seed: 7, stop: ['END'] }
    expect(await preview('openai/gpt-4.1-mini', params)).toEqual({
      url: 'https://api.openai.com/v1/chat/completions',
      warnings: [],
      body: {
        model: 'gpt-4.1-mini',
        max_tokens: 200,
        temperature: 0,
        top_p: 0.5,
        seed: 7,
        stop: ['END'],
        response_format: { type: 'json_schema', json_schema: { name: 'response', strict: true, schema: strictSchema } },
        messages: [
          { role: 'system', content: 'Label.' },
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: '{"topic":' },
          { role: 'user', content: 'Valid JSON only.' },
        ],
      },
    })
  })

  it('to OpenAI’s responses, where a model has nothing else, and nothing is stored there', async () => {
    const { url, body } = await preview('openai/gpt-5-pro', { max_output_tokens: 200, reasoning_effort: 'high' })
    expect(url).toBe('https://api.openai.com/v1/responses')
    expect(body).toMatchObject({
      store: false,
      max_output_tokens: 200,
      reasoning: { effort: 'high' },
      text: { format: { type: 'json_schema', strict: true, schema: strictSchema } },
    })
    expect((await preview('openai-responses/gpt-4.1-mini')).url).toBe(url)
    expect((await preview('openai-chat/gpt-5-pro')).url).toBe('https://api.openai.com/v1/chat/completions')
  })

  it('to Anthropic: bounds in words, optional properties as they are, and a bound on the answer', async () => {
    const { url, body } = await preview('anthropic/claude-sonnet-4-5')
    expect(url).toBe('https://api.anthropic.com/v1/messages')
    expect(body).toMatchObject({
      max_tokens: 4096,
      system: [{ type: 'text', text: 'Label.' }],
      output_config: {
        format: {
          schema: {
            properties: {
              score: { type: 'number', description: 'minimum: 0.' },
              note: { description: 'max length: 9.' },
            },
            required: ['topic', 'score'],
            additionalProperties: false,
          },
        },
      },
    })
  })

  it('to Gemini', async () => {
    const { url, body } = await preview('google/gemini-2.5-flash', { max_output_tokens: 50 })
    expect(url).toBe('https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent')
    expect(body).toMatchObject({
      generationConfig: {
        maxOutputTokens: 50,
        responseMimeType: 'application/json',
        responseJsonSchema: {
          required: ['topic', 'score'],
          properties: { note: { type: 'string', description: '(maxLength: 9)' } },
        },
      },
    })
  })

  it('as plain text where there is no schema, and in words where the schema cannot be enforced', async () => {
    expect((await preview('openai/gpt-4.1-mini', {}, null)).body).not.toHaveProperty('response_format')
    const open = { type: 'object', additionalProperties: { type: 'string' } }
    const { body, warnings } = await preview('openai-compatible/llama', {}, open)
    expect(body.response_format).toEqual({ type: 'json_object' })
    expect(JSON.stringify(body.messages)).toContain('It must fit this JSON Schema')
    expect(warnings).toEqual([
      expect.stringContaining('does not enforce output.schema (it has an object with free keys)'),
    ])
  })

  it.each([
    'openai/gpt-5-mini',
    'openai/gpt-5-pro',
    'anthropic/claude-sonnet-4-5',
    'anthropic/claude-3-7-sonnet-latest',
    'anthropic/claude-opus-5-5',
  ])('%s never writes more than max_output_tokens, thoughts included', async (id) => {
    for (const reasoning_effort of ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const) {
      for (const bound of [200, 1300, 5000, 30_000]) {
        const { body } = await preview(id, { max_output_tokens: bound, reasoning_effort })
        const sent = body.max_tokens ?? body.max_completion_tokens ?? body.max_output_tokens
        expect(sent, `${reasoning_effort} ${bound}`).toBe(bound)
      }
    }
  })

  it('with a warning for each parameter that the model would not honour', async () => {
    const { warnings } = await preview('openai/gpt-5-mini', { temperature: 0 })
    expect(warnings).toEqual(['temperature is not supported for reasoning models'])
    const tooSmall = await preview('anthropic/claude-sonnet-4-5', { max_output_tokens: 300, reasoning_effort: 'low' })
    expect(tooSmall.warnings).toEqual([expect.stringContaining('reasoning_effort is not sent')])
  })
})

describe('a server that refuses the schema', () => {
  const refusal = {
    error: { message: 'This model does not support response format `json_schema`', param: 'response_format' },
  }
  const answer = {
    choices: [{ index: 0, message: { content: '{"topic":"a","score":1,"note":null}' }, finish_reason: 'stop' }],
  }

  it('is asked more plainly from then on, at the cost of a retry', async () => {
    const bodies: Record<string, unknown>[] = []
    const target = targetOf('openai-compatible/llama')
    const model = modelsOver(async ({ body }: WireRequest) => {
      const sent = JSON.parse(body) as Record<string, unknown>
      bodies.push(sent)
      return JSON.stringify(sent).includes('json_schema') ? replyOf(400, refusal) : replyOf(200, answer)
    }).open(target)
    const request = { target, system: null, messages: [{ role: 'user' as const, text: 'x' }], schema }
    const options = { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'a' }
    expect(await model.complete(request, options)).toMatchObject({
      ok: false,
      failure: { cause: 'provider_error', retryable: true },
    })
    expect(await model.complete(request, options)).toMatchObject({ ok: true })
    expect(bodies.map(({ response_format: format }) => format)).toMatchObject([
      { type: 'json_schema' },
      { type: 'json_object' },
    ])
  })

  it('has its nulls for absent properties taken out', async () => {
    const completion = await ask('openai-compatible/llama', replyOf(200, answer), { schema })
    expect(completion).toMatchObject({ ok: true, text: '{"topic":"a","score":1}' })
  })
})
