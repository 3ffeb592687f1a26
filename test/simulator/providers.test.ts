import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, type LanguageModelV4 } from '@ai-sdk/provider'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../src/simulator/fault.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import { type SimulatorServer, startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { after, post, responseOf, TICKET_SCHEMA } from './asking.ts'

const RECORDINGS = new URL('../../../shared/data/recordings/', import.meta.url)

/** Each provider's client at `url`; the second Anthropic model gets its JSON through a tool. */
const MODELS: Readonly<Record<string, (url: string) => LanguageModelV4>> = {
  'openai chat': (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'k' }).chat('gpt-5-mini'),
  'openai responses': (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'k' }).responses('gpt-5-mini'),
  'openai-compatible': (url) =>
    createOpenAICompatible({ name: 'local', baseURL: `${url}/v1`, supportsStructuredOutputs: true }).chatModel(
      'tickets',
    ),
  anthropic: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'k' })('claude-haiku-4-5'),
  'anthropic by tool': (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'k' })('unheard-of'),
  gemini: (url) => createGoogle({ baseURL: `${url}/v1beta`, apiKey: 'k' })('gemini-3.8-flash'),
}

async function generate(model: LanguageModelV4, schema: object | null = TICKET_SCHEMA) {
  return await model.doGenerate({
    prompt: [
      { role: 'system', content: 'You label tickets.' },
      { role: 'user', content: [{ type: 'text', text: 'I was charged twice and want a refund, urgent!' }] },
    ],
    maxOutputTokens: 200,
    ...(schema !== null && { responseFormat: { type: 'json', schema, name: 'answer' } }),
  })
}

type Generated = Awaited<ReturnType<typeof generate>>

function textOf(result: Generated): string {
  return result.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

async function withServer<T>(options: Partial<SimulatorOptions>, use: (url: string) => Promise<T>): Promise<T> {
  const server = await startSimulatorServer(createSimulator({ nowMs: () => 1_000_000, ...options }), { after, port: 0 })
  try {
    return await use(server.url)
  } finally {
    await server.close()
  }
}

describe.each(Object.entries(MODELS))('%s, read by its own client', (name, modelAt) => {
  let server: SimulatorServer
  beforeAll(async () => {
    server = await startSimulatorServer(createSimulator({ nowMs: () => 1_000_000 }), { after, port: 0 })
  })
  afterAll(() => server.close())

  it('answers by schema, alike in every shape, with usage and a simulated name', async () => {
    const result = await generate(modelAt(server.url))
    expect(JSON.parse(textOf(result))).toEqual({
      topic: 'refund',
      sentiment: 'negative',
      urgent: true,
      confidence: expect.any(Number),
    })
    expect(result.finishReason.unified).toBe('stop')
    expect(result.usage.inputTokens.total).toBeGreaterThan(20)
    expect(result.usage.outputTokens.total).toBe(Math.ceil(textOf(result).length / 4))
    expect(JSON.stringify(result.response?.body)).toMatch(/-simulated"/)
    expect(result.response?.headers?.['x-sluice-simulator']).toBe('1')
  })

  it('answers plain text behind the mark', async () => {
    expect(textOf(await generate(modelAt(server.url), null))).toMatch(/^\[simulated\] I was charged twice/)
  })

  it('ends a truncated answer with length', async () => {
    const result = await withServer({ faults: { truncated: 1 } }, (url) => generate(modelAt(url)))
    expect(result.finishReason.unified).toBe('length')
    expect(result.usage.outputTokens.total).toBeGreaterThan(0)
  })

  it('refuses in its own way', async () => {
    const result = await withServer({ faults: { refusal: 1 } }, (url) => generate(modelAt(url)))
    const text = textOf(result)
    if (name.startsWith('openai')) expect(JSON.stringify(result.response?.body)).toContain("can't assist")
    else expect([text, result.finishReason.unified]).toEqual(['', 'content-filter'])
  })

  it('blocks in its own way', async () => {
    const blocked = withServer({ faults: { content_filter: 1 } }, (url) => generate(modelAt(url)))
    if (name.startsWith('anthropic'))
      await expect(blocked).rejects.toThrow('Output blocked by content filtering policy')
    else expect((await blocked).finishReason.unified).toBe('content-filter')
  })

  const faults: readonly (readonly [Fault, number, string])[] = [
    ['rate_limited', 429, '429'],
    ['overloaded', name.startsWith('anthropic') ? 529 : 503, 'overload'],
    ['server_error', 500, '500'],
  ]
  it.each(faults)('puts %s as status %d', async (fault, status) => {
    const error = await withServer({ faults: { [fault]: 1 } }, (url) => generate(modelAt(url)).catch((e: unknown) => e))
    expect(APICallError.isInstance(error) && error.statusCode).toBe(status)
    expect(APICallError.isInstance(error) && error.message.length).toBeGreaterThan(5)
  })

  it('breaks the connection', async () => {
    const error = await withServer({ faults: { reset: 1 } }, (url) => generate(modelAt(url)).catch((e: unknown) => e))
    expect(APICallError.isInstance(error) && error.statusCode).toBe(undefined)
    expect(error).toBeInstanceOf(Error)
  })
})

/** The names and kinds of a JSON value's parts, without its values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}

interface Recording {
  readonly response: { readonly status: number; readonly body: string }
}

function recorded(file: string): Recording['response'] {
  const [folder = '', start = ''] = file.split('/')
  const names = readdirSync(new URL(`${folder}/`, RECORDINGS))
  const found = names.find((one) => one.startsWith(start))
  return (JSON.parse(readFileSync(new URL(`${folder}/${found}`, RECORDINGS), 'utf8')) as Recording).response
}

const hello = {
  chat: ['/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'hi' }] }],
  messages: ['/v1/messages', { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }],
  gemini: ['/v1beta/models/m:generateContent', { contents: [{ parts: [{ text: 'hi' }] }] }],
} as const

describe.skipIf(!existsSync(RECORDINGS))('error bodies against recorded ones (skipped without ../shared/data)', () => {
  const cases: readonly (readonly [string, keyof typeof hello, Partial<SimulatorOptions>])[] = [
    ['single/036', 'chat', { badKey: true }],
    ['single/114', 'messages', { badKey: true }],
    ['reported/openai_429_insufficient_quota.json', 'chat', { quotaRequests: 0 }],
    ['reported/openai_429_tpm.json', 'chat', { faults: { rate_limited: 1 } }],
    ['reported/anthropic_429_account_rate_limit.json', 'messages', { faults: { rate_limited: 1 } }],
    ['reported/anthropic_529_overloaded_with_request_id.json', 'messages', { faults: { overloaded: 1 } }],
    ['single/204', 'messages', { contextTokens: 0 }],
  ]
  it.each(cases)('%s: %s', (file, shape, options) => {
    const real = recorded(file)
    const [path, body] = hello[shape]
    const reply = responseOf(createSimulator({ nowMs: () => 0, ...options }).handle(post(path, body)))
    expect(reply.status).toBe(real.status)
    expect(shapeOf(JSON.parse(reply.body))).toEqual(shapeOf(JSON.parse(real.body)))
  })

  it('an invalid Gemini key: same status, reason and place of the reason', () => {
    const real = JSON.parse(recorded('single/132').body).error
    const [path, body] = hello.gemini
    const reply = responseOf(createSimulator({ nowMs: () => 0, badKey: true }).handle(post(path, body)))
    const error = JSON.parse(reply.body).error
    expect(error).toMatchObject({ code: real.code, message: real.message, status: real.status })
    expect(error.details[0]).toEqual(real.details[0])
  })
})
