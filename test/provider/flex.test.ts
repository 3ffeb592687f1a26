import { openaiModelCatalog } from '@ai-sdk/openai/internal'
import { describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import type { ModelTarget } from '../../src/domain/request.ts'
import { createModels } from '../../src/provider/registry.ts'
import type { WireReply } from '../../src/provider/wire.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { simulatorFetch } from '../../src/simulator/fetch.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { modelsOver, replyOf, targetOf } from './replay.ts'

const CHAT = {
  choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
}
const RESPONSE = {
  id: 'resp_1',
  created_at: 0,
  model: 'm',
  status: 'completed',
  output: [
    { type: 'message', id: 'm', role: 'assistant', content: [{ type: 'output_text', text: 'yes', annotations: [] }] },
  ],
  usage: { input_tokens: 9, output_tokens: 3 },
}
const GEMINI = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'yes' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 3 },
}

const LOCAL = 'http://127.0.0.1:4778/v1'
const flexOf = (id: string, more: Partial<ModelTarget> = {}) =>
  modelsOver(() => Promise.reject(new Error('sent'))).flex(targetOf(id, more))

/** Asks once, as flex or plainly. */
async function ask(id: string, reply: WireReply, flex = true, more: Partial<ModelTarget> = {}) {
  let body: Record<string, unknown> = {}
  const models = modelsOver(async (request) => {
    body = JSON.parse(request.body)
    return reply
  })
  const target = targetOf(id, more)
  const completion = await models.open(target).complete(
    { target, system: null, messages: [{ role: 'user', text: 'Who won?' }], schema: null },
    {
      timeoutMs: 1000,
      signal: new AbortController().signal,
      attemptId: 'a',
      ...(flex && { tier: 'flex' }),
    },
  )
  return { completion, body }
}

describe('flex', () => {
  it.each([
    ['openai/gpt-5-mini'],
    ['openai/gpt-5.4-nano'],
    ['openai/gpt-5.6-sol'],
    ['openai/gpt-6-astra'],
    ['openai/gpt-5-2025-08-07'],
    ['openai/o3'],
    ['openai/o3-2025-04-16'],
    ['openai-chat/o4-mini'],
    ['openai-responses/gpt-5'],
    ['google/gemini-2.5-flash'],
    ['google/gemini-3.8-flash'],
    ['google/gemini-flash-latest'],
    ['simulator/tickets'],
  ])('is to be had of %s for half the price', (id) => {
    expect(flexOf(id)).toEqual({ priceLanePermille: 500 })
  })

  it.each([
    ['openai/gpt-4.1-mini'],
    ['openai/gpt-4o'],
    ['openai/o3-mini'],
    ['openai/o1'],
    ['openai/gpt-5-chat-latest'],
    ['openai/gpt-5-codex'],
    ['openai/gpt-5-pro'],
    ['openai/o3-pro'],
    ['openai/o3-deep-research'],
    ['anthropic/claude-sonnet-4-5'],
    ['google/gemini-2.0-flash'],
    ['google/gemma-3-27b-it'],
    ['openai-compatible/gpt-5-mini'],
  ])('is not to be had of %s', (id) => {
    expect(flexOf(id)).toBeNull()
  })

  it('is offered at the providers’ own addresses, in any region of OpenAI, and on this machine', () => {
    const at = (id: string, baseUrl: string) => flexOf(id, { baseUrl }) !== null
    expect(at('openai/gpt-5-mini', 'https://eu.api.openai.com/v1')).toBe(true)
    expect(at('openai/gpt-5-mini', LOCAL)).toBe(true)
    expect(at('google/gemini-2.5-flash', LOCAL)).toBe(true)
    expect(at('simulator/any', LOCAL)).toBe(true)
    expect(at('openai-compatible/any', LOCAL)).toBe(false)
    expect(at('openai/gpt-5-mini', 'https://proxy.example/v1')).toBe(false)
    expect(at('openai/gpt-5-mini', 'https://api.openai.com.example/v1')).toBe(false)
    expect(at('google/gemini-2.5-flash', 'https://proxy.example/v1beta')).toBe(false)
  })

  const known = Object.keys(openaiModelCatalog)
  it.each(known.filter((id) => flexOf(`openai/${id}`) !== null))('is really asked for: %s', async (id) => {
    expect((await ask(`openai-chat/${id}`, replyOf(200, CHAT))).body.service_tier).toBe('flex')
    expect((await ask(`openai-responses/${id}`, replyOf(200, RESPONSE))).body.service_tier).toBe('flex')
  })

  it('is asked for in each API’s own words, beside its other settings', async () => {
    expect((await ask('openai-responses/gpt-5-mini', replyOf(200, RESPONSE))).body).toMatchObject({
      service_tier: 'flex',
      store: false,
    })
    expect((await ask('google/gemini-2.5-flash', replyOf(200, GEMINI))).body).toMatchObject({ serviceTier: 'flex' })
    const local = await ask('simulator/any', replyOf(200, CHAT), true, { baseUrl: LOCAL })
    expect(local.body).toMatchObject({ service_tier: 'flex' })
  })

  it('is asked for by nobody else: neither plainly, nor where an API has no word for it, nor in a batch', async () => {
    for (const [id, reply] of [
      ['openai-chat/gpt-5-mini', CHAT],
      ['openai-responses/gpt-5-mini', RESPONSE],
      ['google/gemini-2.5-flash', GEMINI],
    ] as const) {
      const { body } = await ask(id, replyOf(200, reply), false)
      expect(body.service_tier ?? body.serviceTier).toBeUndefined()
      const target = targetOf(id)
      const messages = [{ role: 'user' as const, text: 'x' }]
      const request = { target, system: null, messages, schema: null }
      await ask(id, replyOf(200, reply))
      const encoded = await modelsOver(() => Promise.reject(new Error('sent')))
        .open(target)
        .encode(request)
      expect(encoded.ok && encoded.body).not.toMatch(/tier/i)
    }
    const claude = await ask('anthropic/claude-sonnet-4-5', replyOf(529, {}))
    expect(JSON.stringify(claude.body)).not.toContain('flex')
  })
})

describe('the tier of an answer', () => {
  const tier = async (id: string, body: object, headers: Record<string, string> = {}) =>
    (await ask(id, replyOf(200, body, headers))).completion.tier

  it('is what OpenAI says', async () => {
    expect(await tier('openai/gpt-5-mini', { ...CHAT, service_tier: 'flex' })).toBe('flex')
    expect(await tier('openai/gpt-5-mini', { ...CHAT, service_tier: 'default' })).toBe('standard')
    expect(await tier('openai-responses/gpt-5-mini', { ...RESPONSE, service_tier: 'flex' })).toBe('flex')
    expect(await tier('openai-responses/gpt-5-mini', { ...RESPONSE, service_tier: 'default' })).toBe('standard')
  })

  it('is what Gemini says, in the body or else in a header', async () => {
    const says = (serviceTier: string) => ({ ...GEMINI, usageMetadata: { ...GEMINI.usageMetadata, serviceTier } })
    expect(await tier('google/gemini-2.5-flash', says('flex'))).toBe('flex')
    expect(await tier('google/gemini-2.5-flash', says('SERVICE_TIER_STANDARD'))).toBe('standard')
    expect(await tier('google/gemini-2.5-flash', GEMINI, { 'x-gemini-service-tier': 'flex' })).toBe('flex')
    expect(await tier('google/gemini-2.5-flash', says('standard'), { 'x-gemini-service-tier': 'flex' })).toBe(
      'standard',
    )
  })

  it('is not guessed', async () => {
    expect(await tier('openai/gpt-5-mini', CHAT)).toBeUndefined()
    expect(await tier('openai/gpt-5-mini', { ...CHAT, service_tier: null })).toBeUndefined()
    expect(await tier('openai/gpt-5-mini', { ...CHAT, service_tier: 'priority' })).toBeUndefined()
    expect(await tier('google/gemini-2.5-flash', GEMINI)).toBeUndefined()
  })
})

describe('a refusal of flex', () => {
  const refused = async (id: string, status: number, body: object): Promise<Completion> =>
    (await ask(id, replyOf(status, body))).completion

  it.each([
    ['by its code', { error: { message: 'Try again later.', code: 'resource_unavailable', type: 'x' } }],
    ['in words', { error: { message: '429 Resource Unavailable', code: null, type: 'server_error' } }],
  ])('for want of room is no limit of the account (%s)', async (_how, body) => {
    for (const id of ['openai/gpt-5-mini', 'openai-responses/gpt-5-mini']) {
      const completion = await refused(id, 429, body)
      expect(completion).toMatchObject({ ok: false, usage: null, failure: { cause: 'overloaded', retryable: true } })
      expect(completion).not.toHaveProperty('tierRefused')
    }
  })

  it('for want of room is an overload with Gemini too', async () => {
    const body = { error: { code: 503, status: 'UNAVAILABLE', message: 'This model is experiencing high demand.' } }
    expect(await refused('google/gemini-2.5-flash', 503, body)).toMatchObject({ failure: { cause: 'overloaded' } })
  })

  it.each([
    ['openai/gpt-5-mini', 'Invalid service_tier argument'],
    ['openai/gpt-5-mini', 'Unsupported service_tier: flex'],
    ['openai-responses/gpt-5-mini', 'Flex is not available for this model.'],
    ['google/gemini-2.5-flash', 'Flex inference is not supported for models/gemini-2.5-flash.'],
  ])('for good says nothing of the row: %s: %s', async (id, message) => {
    expect(await refused(id, 400, { error: { message, status: 'INVALID_ARGUMENT' } })).toMatchObject({
      ok: false,
      tierRefused: true,
      failure: { cause: 'provider_error', retryable: false },
    })
  })

  it('is not seen in a request that is refused for another reason', async () => {
    for (const message of ["Invalid value: 'x'", 'the schema asks for flexible fields, which are not supported']) {
      expect(await refused('openai/gpt-5-mini', 400, { error: { message } })).not.toHaveProperty('tierRefused')
    }
  })
})

describe('the simulator', () => {
  it('serves flex for half its price, and says so', async () => {
    const runtime = systemRuntime()
    const simulator = createSimulator({ nowMs: runtime.now })
    const fetch = simulatorFetch(simulator, { sleep: runtime.sleep })
    const price = { input: '0.25', output: '2.00', cachedInput: null }
    const models = createModels({ env: () => undefined, runtime, simulator: { fetch, price } })
    const target = targetOf('simulator/tickets')
    const request = { target, system: null, messages: [{ role: 'user' as const, text: 'Hello there.' }], schema: null }
    const options = { timeoutMs: 5000, signal: new AbortController().signal, attemptId: 'a' }
    const [plain, flex] = [
      await models.open(target).complete(request, options),
      await models.open(target).complete(request, { ...options, tier: 'flex' }),
    ]
    expect([plain.tier, flex.tier]).toEqual(['standard', 'flex'])
    expect(plain.usage).toEqual(flex.usage)
  })
})
