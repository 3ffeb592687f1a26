import { afterEach, describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import type { JsonSchema } from '../../src/domain/request.ts'
import { createModels } from '../../src/provider/registry.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { simulatorFetch } from '../../src/simulator/fetch.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import { DEFAULT_SIMULATED_PRICE } from '../../src/simulator/price.ts'
import { startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { after, TICKET_SCHEMA } from './asking.ts'

const PROVIDERS = [
  ['openai/gpt-5-mini', '/v1'],
  ['anthropic/claude-haiku-4-5', '/v1'],
  ['google/gemini-3.8-flash', '/v1beta'],
  ['openai-compatible/tickets', '/v1'],
] as const

const runtime = systemRuntime()
const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Asks one simulated provider through our own provider layer. */
async function ask(
  id: string,
  path: string,
  options: Partial<SimulatorOptions>,
  timeoutMs = 10_000,
): Promise<Completion> {
  const server = await startSimulatorServer(createSimulator({ nowMs: runtime.now, ...options }), { after, port: 0 })
  cleanUps.push(server.close)
  const models = createModels({ env: () => 'a-key', runtime })
  cleanUps.push(models.close)
  const target = { id, baseUrl: `${server.url}${path}`, apiKeyEnv: 'KEY', params: { max_output_tokens: 200 } }
  const messages = [{ role: 'user' as const, text: 'I was charged twice and want a refund.' }]
  const request = { target, system: 'You label tickets.', messages, schema: TICKET_SCHEMA as JsonSchema }
  return models.open(target).complete(request, { timeoutMs, signal: AbortSignal.timeout(60_000), attemptId: 'att_1' })
}

const outcome = (completion: Completion) => (completion.ok ? completion.finish : completion.failure.cause)

describe.each(PROVIDERS)('%s, as our own provider layer sees it', (id, path) => {
  it.each<readonly [string, Partial<SimulatorOptions>]>([
    ['rate_limited', { faults: { rate_limited: 1 } }],
    ['overloaded', { faults: { overloaded: 1 } }],
    ['provider_error', { faults: { server_error: 1 } }],
    ['connection', { faults: { reset: 1 } }],
    ['credentials', { badKey: true }],
    ['quota_exhausted', { quotaRequests: 0 }],
    ['context_too_long', { contextTokens: 5 }],
    ['length', { faults: { truncated: 1 } }],
    ['stop', {}],
  ])('%s when %j', async (expected, options) => {
    expect(outcome(await ask(id, path, options))).toBe(expected)
  })

  it('a timeout, when the answer is slow', async () => {
    expect(outcome(await ask(id, path, { faults: { slow: 1 } }, 50))).toBe('timeout')
  })

  it('refused or filtered, when the prompt is not taken', async () => {
    const kinds = ['refusal', 'content_filter', 'refused', 'content_filtered']
    expect(kinds).toContain(outcome(await ask(id, path, { faults: { refusal: 1 } })))
    expect(kinds).toContain(outcome(await ask(id, path, { faults: { content_filter: 1 } })))
  })

  it('the tokens that were billed', async () => {
    const completion = await ask(id, path, {})
    expect(completion.usage?.inputTokens).toBeGreaterThan(10)
    expect(completion.modelAnswered).toMatch(/-simulated$/)
  })
})

it('answers simulator/… in this process', async () => {
  const simulator = createSimulator({ nowMs: runtime.now })
  const fetch = simulatorFetch(simulator, { sleep: (ms, signal) => runtime.sleep(ms, signal) })
  const models = createModels({
    env: () => undefined,
    runtime,
    simulator: { fetch, price: { ...DEFAULT_SIMULATED_PRICE, cachedInput: null } },
  })
  const target = { id: 'simulator/tickets', baseUrl: null, apiKeyEnv: null, params: {} }
  const request = {
    target,
    system: null,
    messages: [{ role: 'user' as const, text: 'A refund!' }],
    schema: TICKET_SCHEMA as JsonSchema,
  }
  const options = { timeoutMs: 5_000, signal: AbortSignal.timeout(60_000), attemptId: 'a' }
  const completion = await models.open(target).complete(request, options)
  expect(completion).toMatchObject({ ok: true, modelAnswered: 'tickets-simulated' })
  expect(JSON.parse(completion.ok ? completion.text : '{}')).toMatchObject({ topic: 'refund' })
  await models.close()
})
