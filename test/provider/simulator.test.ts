import { Ajv } from 'ajv'
import { afterEach, describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import type { JsonSchema } from '../../src/domain/request.ts'
import { createModels } from '../../src/provider/registry.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { simulatorFetch } from '../../src/simulator/fetch.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import type { RequestRecord } from '../../src/simulator/request-log.ts'
import { type SimulatorServer, startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { targetOf } from './replay.ts'

const APIS = ['openai-chat', 'openai-responses', 'anthropic', 'google', 'openai-compatible'] as const
type Api = (typeof APIS)[number]

const schema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['billing', 'login'] },
    urgent: { type: 'boolean' },
    note: { type: 'string', maxLength: 40 },
  },
  required: ['topic', 'urgent'],
  additionalProperties: false,
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A simulator behind HTTP, and a way to ask it over each API. */
async function simulated(options: Partial<SimulatorOptions>, key = 'good-key') {
  const runtime = systemRuntime()
  const simulator = createSimulator({ nowMs: runtime.now, ...options })
  const server: SimulatorServer = await startSimulatorServer(simulator, { port: 0, after: runtime.after })
  const models = createModels({ env: () => key, runtime })
  closing.push(
    () => models.close(),
    () => server.close(),
  )
  const ask = (
    api: Api,
    more: { text?: string; output?: JsonSchema | null; timeoutMs?: number; maxTokens?: number } = {},
  ): Promise<Completion> => {
    const baseUrl = `${server.url}${api === 'google' ? '/v1beta' : '/v1'}`
    const target = targetOf(`${api}/some-model`, {
      baseUrl,
      apiKeyEnv: 'KEY',
      params: more.maxTokens === undefined ? {} : { max_output_tokens: more.maxTokens },
    })
    return models.open(target).complete(
      {
        target,
        system: 'Label the ticket.',
        messages: [{ role: 'user', text: more.text ?? 'A question about my login.' }],
        schema: more.output === undefined ? schema : more.output,
      },
      { timeoutMs: more.timeoutMs ?? 10_000, signal: new AbortController().signal, attemptId: 'attempt-7' },
    )
  }
  return { ask, stats: simulator.stats }
}

const always = (fault: string): Partial<SimulatorOptions> => ({ faults: { [fault]: 1 } })

describe.each(APIS)('%s against the simulator', (api) => {
  it('answers by the schema that it was sent, and is billed what we read', async () => {
    const { ask, stats } = await simulated({})
    const completion = await ask(api)
    if (!completion.ok) throw new Error(completion.failure.message)
    expect(completion).toMatchObject({ finish: 'stop', modelAnswered: expect.any(String) })
    expect(new Ajv().validate(schema, JSON.parse(completion.text))).toBe(true)
    expect(JSON.parse(completion.text)).toMatchObject({ topic: 'login' })
    const billed = stats()
    expect([completion.usage?.inputTokens, completion.usage?.outputTokens]).toEqual([
      billed.input_tokens,
      billed.output_tokens,
    ])
  })

  it('answers in plain text too', async () => {
    const { ask } = await simulated({})
    const completion = await ask(api, { output: null })
    expect(completion).toMatchObject({ ok: true, finish: 'stop' })
    expect(completion.ok && completion.text.length).toBeGreaterThan(0)
  })

  it.each([
    ['rate_limited', 'rate_limited'],
    ['overloaded', 'overloaded'],
    ['server_error', 'provider_error'],
    ['reset', 'connection'],
  ])('is %s', async (fault, cause) => {
    const { ask } = await simulated(always(fault))
    const completion = await ask(api)
    expect(completion).toMatchObject({ ok: false, failure: { cause, retryable: true }, usage: null })
    if (fault === 'rate_limited' && !completion.ok) expect(completion.failure.retryAfterMs).toBeGreaterThan(0)
  })

  it('is too slow', async () => {
    const { ask } = await simulated({ faults: { slow: 1 }, slowMs: 60_000 })
    expect(await ask(api, { timeoutMs: 50 })).toMatchObject({ ok: false, failure: { cause: 'timeout' } })
  })

  it('is cut off, refuses, and is filtered', async () => {
    const cut = await (await simulated(always('truncated'))).ask(api)
    expect(cut).toMatchObject({ ok: true, finish: 'length' })
    const refused = await (await simulated(always('refusal'))).ask(api)
    expect(refused).toMatchObject({ ok: true, finish: expect.stringMatching(/refusal|content_filter/) })
    const filtered = await (await simulated(always('content_filter'))).ask(api)
    expect(filtered.ok ? filtered.finish : filtered.failure.cause).toMatch(/content_filter|refusal/)
  })

  it('knows a bad key, an empty account and a prompt that is too long', async () => {
    expect(await (await simulated({}, 'bad-key')).ask(api)).toMatchObject({
      ok: false,
      failure: { cause: 'credentials' },
    })
    expect(await (await simulated({ quotaRequests: 0 })).ask(api)).toMatchObject({
      ok: false,
      failure: { cause: 'quota_exhausted' },
    })
    const long = await (await simulated({ contextTokens: 50 })).ask(api, { text: 'word '.repeat(500) })
    expect(long).toMatchObject({ ok: false, failure: { cause: 'context_too_long', retryable: false } })
  })

  it('says what is left of its limits', async () => {
    const { ask } = await simulated({ limits: { rpm: 60, tpm: 100_000 } })
    const { limits } = await ask(api)
    if (api === 'google') expect(limits).toBeNull()
    else expect(limits?.requests).toMatchObject({ limit: 60, windowMs: 60_000, remaining: expect.any(Number) })
    for (let round = 0; round < 60; round += 1) await ask(api)
    const limited = await ask(api)
    expect(limited).toMatchObject({ ok: false, failure: { cause: 'rate_limited' } })
    expect(limited.limits?.retryAfterMs).toBeGreaterThan(0)
  })
})

describe('the simulator in this process', () => {
  it('answers simulator/<name> and reads the attempt', async () => {
    const runtime = systemRuntime()
    const records: RequestRecord[] = []
    const simulator = createSimulator({ nowMs: runtime.now })
    const fetch = simulatorFetch(simulator, { sleep: runtime.sleep, log: (record) => void records.push(record) })
    const models = createModels({
      env: () => undefined,
      runtime,
      simulator: { fetch, price: { input: '0.25', output: '2', cachedInput: null } },
    })
    const target = targetOf('simulator/small')
    const options = { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'attempt-7' }
    const completion = await models
      .open(target)
      .complete({ target, system: null, messages: [{ role: 'user', text: 'billing' }], schema }, options)
    expect(completion).toMatchObject({ ok: true, finish: 'stop' })
    expect(records).toMatchObject([{ attempt: 'attempt-7', billed: true, inputTokens: completion.usage?.inputTokens }])
    await models.close()
  })
})
