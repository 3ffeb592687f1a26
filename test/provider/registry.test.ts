import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ModelTarget } from '../../src/domain/request.ts'
import { SluiceError } from '../../src/errors.ts'
import { PRICE_TABLE } from '../../src/provider/prices.ts'
import { createModels } from '../../src/provider/registry.ts'
import { isLoopback } from '../../src/provider/target.ts'
import type { WireRequest } from '../../src/provider/wire.ts'
import { manualRuntime } from '../support/manual-runtime.ts'
import { replyOf, targetOf } from './replay.ts'

const CHAT = { choices: [{ index: 0, message: { content: 'hi' }, finish_reason: 'stop' }] }

function setUp(environment: Readonly<Record<string, string>> = {}) {
  const sent: WireRequest[] = []
  const exchange = async (request: WireRequest) => {
    sent.push(request)
    return replyOf(200, CHAT)
  }
  const models = createModels({
    env: (name) => environment[name],
    runtime: manualRuntime(Date.parse('2026-11-22T12:00:00Z')),
    transport: { exchange, close: async () => undefined },
  })
  const ask = (target: ModelTarget) =>
    models
      .open(target)
      .complete(
        { target, system: null, messages: [{ role: 'user', text: 'x' }], schema: null },
        { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'a' },
      )
  return { models, ask, sent }
}

function refusal(target: ModelTarget, environment: Readonly<Record<string, string>> = {}): SluiceError {
  try {
    setUp(environment).models.open(target)
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown
    throw thrown
  }
  throw new Error('expected a refusal')
}

describe('opening a model', () => {
  it.each([
    ['openai/gpt-5-mini', 'OPENAI_API_KEY'],
    ['anthropic/claude-sonnet-4-5', 'ANTHROPIC_API_KEY'],
    ['google/gemini-2.5-flash', 'GOOGLE_GENERATIVE_AI_API_KEY or GEMINI_API_KEY'],
  ])('%s without a key names the variable', (id, variable) => {
    const error = refusal(targetOf(id))
    expect(error).toMatchObject({ code: 'credentials_missing', exitCode: 4 })
    expect(error.message).toContain(`${variable} is empty`)
    expect(refusal(targetOf(id), { OPENAI_API_KEY: ' ', ANTHROPIC_API_KEY: '', GEMINI_API_KEY: '' }).code).toBe(
      'credentials_missing',
    )
  })

  it('takes the key from the variable that the spec names, and from no other', async () => {
    const own = targetOf('openai/gpt-5-mini', { apiKeyEnv: 'TEAM_KEY' })
    const error = refusal(own, { OPENAI_API_KEY: 'general' })
    expect(error.message).toContain('TEAM_KEY is empty')
    const { ask, sent } = setUp({ OPENAI_API_KEY: 'general', TEAM_KEY: 'team' })
    await ask(own)
    expect(sent[0]?.headers.authorization).toBe('Bearer team')
  })

  it('sends no key to a compatible server unless one is named', async () => {
    const { ask, sent } = setUp({ OPENAI_API_KEY: 'general', VLLM_KEY: 'vllm' })
    await ask(targetOf('openai-compatible/llama'))
    await ask(targetOf('openai-compatible/llama', { apiKeyEnv: 'VLLM_KEY' }))
    expect(sent.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer vllm'])
  })

  it('accepts either variable of Google', async () => {
    const { models } = setUp({ GEMINI_API_KEY: 'g' })
    expect(() => models.open(targetOf('google/gemini-2.5-flash'))).not.toThrow()
  })

  it.each(['sk-proj-0123456789abcdef', 'AIzaSyD-0123456789', 'gsk_abcdefghijklmnop0123', 'my key', 'K'.repeat(200)])(
    'refuses %s in place of a variable’s name, and does not repeat it',
    (apiKeyEnv) => {
      const error = refusal(targetOf('openai/gpt-5-mini', { apiKeyEnv }))
      expect(error.code).toBe('spec_invalid')
      expect(`${error.message}${error.hint}`).not.toContain(apiKeyEnv)
    },
  )

  it.each([
    ['mistral/large', null, 'names no provider'],
    ['gpt-5', null, 'names no provider'],
    ['openai/', null, 'names no provider'],
    ['constructor/x', null, 'names no provider'],
    ['openai-compatible/llama', null, 'needs model.base_url'],
    ['openai-compatible/llama', 'localhost:8000', 'no http(s) address'],
    ['openai-compatible/llama', 'ftp://h/v1', 'no http(s) address'],
    ['openai-compatible/llama', 'https://user:secret@h/v1', 'more than an address'],
    ['openai-compatible/llama', 'https://h/v1?key=secret', 'more than an address'],
  ])('%s at %s is refused', (id, baseUrl, message) => {
    const error = refusal(targetOf(id, { baseUrl }))
    expect(error.code).toBe('spec_invalid')
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('secret')
  })

  it('keeps slashes in the names of models, and slashes at the end of addresses out', async () => {
    const { ask, sent } = setUp()
    await ask(targetOf('openai-compatible/meta/llama-3', { baseUrl: 'http://h/v1/' }))
    expect(sent[0]?.url).toBe('http://h/v1/chat/completions')
    expect(sent[0]?.body).toContain('"model":"meta/llama-3"')
  })

  it('opens a target once', () => {
    const { models } = setUp({ OPENAI_API_KEY: 'k' })
    const model = models.open(targetOf('openai/gpt-5-mini', { params: { temperature: 0 } }))
    expect(models.open(targetOf('openai/gpt-5-mini', { params: { temperature: 1 } }))).toBe(model)
    expect(models.open(targetOf('openai/gpt-5'))).not.toBe(model)
  })
})

describe('the simulator in this process', () => {
  const price = { input: '0.25', output: '2.00', cachedInput: null }

  it('answers simulator/<name>, is priced as it says, and is told the attempt', async () => {
    const seen: unknown[] = []
    const fetch = async (url: string, init: { method: string; headers: Record<string, string> }) => {
      seen.push(url, init.method, init.headers['x-sluice-attempt'])
      return Response.json(CHAT)
    }
    const models = createModels({ env: () => undefined, runtime: manualRuntime(), simulator: { fetch, price } })
    const target = targetOf('simulator/small')
    const completion = await models
      .open(target)
      .complete(
        { target, system: null, messages: [{ role: 'user', text: 'x' }], schema: null },
        { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'a-1' },
      )
    expect(completion).toMatchObject({ ok: true, text: 'hi' })
    expect(seen).toEqual(['http://simulator.invalid/v1/chat/completions', 'POST', 'a-1'])
    expect(models.price(target, null)).toMatchObject({
      inputNanoPerMillion: 250_000_000,
      outputNanoPerMillion: 2_000_000_000,
      source: 'simulator',
    })
    await models.close()
  })

  it('is missed by name where there is none', () => {
    expect(refusal(targetOf('simulator/small')).message).toContain('no simulator in this process')
  })
})

describe('prices', () => {
  const { models } = setUp()

  it('come from the bundled table, with its version and the day', () => {
    expect(models.price(targetOf('openai/gpt-5-mini'), null)).toEqual({
      inputNanoPerMillion: 250_000_000,
      outputNanoPerMillion: 2_000_000_000,
      cachedInputNanoPerMillion: 25_000_000,
      cacheWriteNanoPerMillion: null,
      source: `${PRICE_TABLE}, 2026-11-22`,
    })
    const manifest = readFileSync(
      new URL('../../node_modules/@pydantic/genai-prices/package.json', import.meta.url),
      'utf8',
    )
    expect(PRICE_TABLE).toBe(`genai-prices ${(JSON.parse(manifest) as { version: string }).version}`)
  })

  it('are the first tier’s where they rise with the prompt', () => {
    expect(models.price(targetOf('google/gemini-2.5-pro'), null)).toMatchObject({ inputNanoPerMillion: 1_250_000_000 })
  })

  it('are found by the address of compatible servers', () => {
    const groq = targetOf('openai-compatible/llama-3.3-70b-versatile', { baseUrl: 'https://api.groq.com/openai/v1' })
    expect(models.price(groq, null)).toMatchObject({ inputNanoPerMillion: 590_000_000 })
    expect(models.price(targetOf('openai-compatible/llama'), null)).toBeNull()
  })

  it('are null where unknown, and the spec’s own, to the digit, where it gives one', () => {
    const unknown = targetOf('openai/of-tomorrow')
    expect(models.price(unknown, null)).toBeNull()
    expect(models.price(unknown, { input: '0.000000001', output: '12', cachedInput: '0.07' })).toEqual({
      inputNanoPerMillion: 1,
      outputNanoPerMillion: 12_000_000_000,
      cachedInputNanoPerMillion: 70_000_000,
      cacheWriteNanoPerMillion: null,
      source: 'spec',
    })
    expect(() => models.price(unknown, { input: '1e3', output: '1', cachedInput: null })).toThrow(SluiceError)
  })
})

describe('accounts', () => {
  it('tell apart what has limits of its own, and hold no key', () => {
    const { models } = setUp({ OPENAI_API_KEY: 'sk-secret' })
    const names = [
      targetOf('openai/gpt-5-mini'),
      targetOf('openai/gpt-5'),
      targetOf('openai/gpt-5-mini', { apiKeyEnv: 'TEAM_KEY' }),
      targetOf('openai/gpt-5-mini', { baseUrl: 'https://proxy.example/v1' }),
    ].map((target) => models.account(target))
    expect(names[0]).toBe('openai/gpt-5-mini at api.openai.com/v1 with OPENAI_API_KEY')
    expect(new Set(names).size).toBe(4)
    expect(models.account(targetOf('openai/gpt-5-mini', { params: { temperature: 1 } }))).toBe(names[0])
  })

  it.each([
    ['http://localhost:4778/v1', true],
    ['http://127.0.0.1/v1', true],
    ['http://[::1]:1/v1', true],
    ['http://simulator.invalid/v1', true],
    ['https://localhost.example.com/v1', false],
    ['https://api.openai.com/v1', false],
    ['http://128.0.0.1', false],
  ])('%s is on this machine: %s', (url, local) => {
    expect(isLoopback(new URL(url))).toBe(local)
  })
})
