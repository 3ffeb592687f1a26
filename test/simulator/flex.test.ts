import { describe, expect, it } from 'vitest'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { chat, post, responseOf } from './asking.ts'

const simulator = (more: Partial<SimulatorOptions> = {}) => createSimulator({ nowMs: () => 1_000_000, ...more })
const text = 'I was charged twice.'
const plain = chat(text)
const flex = chat(text, null, { service_tier: 'flex' })
const gemini = (more: object) =>
  post('/v1beta/models/gemini-2.5-flash:generateContent', { contents: [{ parts: [{ text }] }], ...more })
const responses = (more: object) => post('/v1/responses', { model: 'm', input: text, ...more })

describe.each([
  ['chat', plain, flex],
  ['responses', responses({}), responses({ service_tier: 'flex' })],
  ['gemini', gemini({}), gemini({ serviceTier: 'flex' })],
  ['gemini, as Google writes it', gemini({}), gemini({ service_tier: 'FLEX' })],
])('flex by %s', (_name, standard, asFlex) => {
  it('costs exactly half, and is said in the answer and in the log', () => {
    const house = simulator()
    const [full, half] = [responseOf(house.handle(standard)), responseOf(house.handle(asFlex))]
    expect(2 * half.record.costNano).toBe(full.record.costNano)
    expect([full.record.tier, half.record.tier]).toEqual([undefined, 'flex'])
    expect(full.body).toMatch(/"service_?[tT]ier":"(default|standard)"/)
    expect(half.body).toMatch(/"service_?[tT]ier":"flex"/)
  })

  it('is slower, and refused for want of room as often as asked for, without a bill', () => {
    const slow = simulator({ latency: { medianMs: 100, p99Ms: 100 }, flex: { slower: 7 } })
    expect([slow.handle(standard).delayMs, slow.handle(asFlex).delayMs]).toEqual([100, 700])
    const full = simulator({ flex: { refused: 1 } })
    const refused = responseOf(full.handle(asFlex))
    expect(refused.status).toBe(asFlex.path.includes('gemini') ? 503 : 429)
    expect(refused.record).toMatchObject({ billed: false, costNano: 0, fault: 'no_flex' })
    expect(responseOf(full.handle(standard)).status).toBe(200)
  })

  it('is not to be had at all where asked for', () => {
    const house = simulator({ flex: { none: true } })
    expect(responseOf(house.handle(asFlex))).toMatchObject({ status: 400, record: { billed: false } })
    expect(responseOf(house.handle(standard)).status).toBe(200)
  })
})

it('refuses a share of the requests for flex, each time anew', () => {
  const house = simulator({ flex: { refused: 0.2 } })
  const statuses = Array.from({ length: 500 }, () => responseOf(house.handle(flex)).status)
  const refused = statuses.filter((status) => status === 429).length
  expect(refused).toBeGreaterThan(60)
  expect(refused).toBeLessThan(140)
})

it('serves any other tier as standard', () => {
  for (const tier of ['auto', 'default', 'priority', 1, null])
    expect(responseOf(simulator().handle(chat(text, null, { service_tier: tier }))).record.tier).toBeUndefined()
})
