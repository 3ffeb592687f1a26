import { describe, expect, it } from 'vitest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { post, type Response, responseOf } from './asking.ts'

const SYSTEM = `You label tickets. ${'Use only the values that are allowed. '.repeat(220)}`
const SYSTEM_TOKENS = Math.ceil(SYSTEM.length / 4)
const PRICES = { '*': { input: '1.00', output: '2.00', cachedInput: '0.10', cacheWrite: '1.25' } }

const BODIES = {
  chat: (user: string) =>
    post('/v1/chat/completions', {
      model: 'm',
      messages: [
        { role: 'system', content: SYSTEM },
        { role: 'user', content: user },
      ],
    }),
  responses: (user: string) =>
    post('/v1/responses', { model: 'm', instructions: SYSTEM, input: [{ role: 'user', content: user }] }),
  gemini: (user: string) =>
    post('/v1beta/models/m:generateContent', {
      systemInstruction: { parts: [{ text: SYSTEM }] },
      contents: [{ role: 'user', parts: [{ text: user }] }],
    }),
  anthropic: (user: string, mark: object = { cache_control: { type: 'ephemeral' } }) =>
    post('/v1/messages', {
      model: 'm',
      max_tokens: 50,
      system: [{ type: 'text', text: SYSTEM, ...mark }],
      messages: [{ role: 'user', content: user }],
    }),
}

/** As JSON. */
type Reply = ReturnType<typeof JSON.parse>

/** Read from the cache and written there, as each provider says it. */
const USED = {
  chat: (body: Reply) => [body.usage.prompt_tokens_details.cached_tokens, 0],
  responses: (body: Reply) => [body.usage.input_tokens_details.cached_tokens, 0],
  gemini: (body: Reply) => [body.usageMetadata.cachedContentTokenCount ?? 0, 0],
  anthropic: (body: Reply) => [body.usage.cache_read_input_tokens, body.usage.cache_creation_input_tokens],
} satisfies Record<string, (body: Reply) => number[]>

function clocked(latencyMs = 0) {
  let now = 1_000_000
  const simulator = createSimulator({
    nowMs: () => now,
    prices: PRICES,
    latency: { medianMs: latencyMs, p99Ms: latencyMs },
  })
  const pass = (ms: number) => {
    now += ms
  }
  const bodyOf = (reply: Response) => JSON.parse(reply.body)
  return { pass, simulator, ask: (request: ReturnType<typeof post>) => bodyOf(responseOf(simulator.handle(request))) }
}

describe.each(['chat', 'responses', 'gemini'] as const)('the cache of prompts in the style of %s', (style) => {
  it('has a beginning of 1,024 tokens and more from its first answer on, for five minutes after its last use', () => {
    const { ask, pass } = clocked()
    expect(USED[style](ask(BODIES[style]('one')))).toEqual([0, 0])
    const [cached = 0] = USED[style](ask(BODIES[style]('two')))
    expect(cached).toBeGreaterThanOrEqual(1024)
    expect(cached).toBeLessThanOrEqual(SYSTEM_TOKENS)
    expect(cached % 128).toBe(0)
    pass(4 * 60_000)
    expect(USED[style](ask(BODIES[style]('three')))).toEqual([cached, 0])
    pass(4 * 60_000)
    expect(USED[style](ask(BODIES[style]('four')))).toEqual([cached, 0])
    pass(5 * 60_000 + 1)
    expect(USED[style](ask(BODIES[style]('five')))).toEqual([0, 0])
  })
})

describe('the cache of prompts in the style of anthropic', () => {
  it('has what was marked, and charges for writing it', () => {
    const { ask } = clocked()
    expect(USED.anthropic(ask(BODIES.anthropic('one')))).toEqual([0, SYSTEM_TOKENS])
    const second = ask(BODIES.anthropic('two'))
    expect(USED.anthropic(second)).toEqual([SYSTEM_TOKENS, 0])
    expect(second.usage.input_tokens).toBe(1)
  })

  it('keeps nothing that is not marked', () => {
    const { ask } = clocked()
    ask(BODIES.anthropic('one', {}))
    expect(USED.anthropic(ask(BODIES.anthropic('two', {})))).toEqual([0, 0])
  })
})

describe('a cache of prompts', () => {
  it('has nothing for requests at the same time: each is charged in full', () => {
    const { ask, pass } = clocked(500)
    const [first, second] = [ask(BODIES.anthropic('one')), ask(BODIES.anthropic('two'))]
    expect([USED.anthropic(first), USED.anthropic(second)]).toEqual([
      [0, SYSTEM_TOKENS],
      [0, SYSTEM_TOKENS],
    ])
    pass(500)
    expect(USED.anthropic(ask(BODIES.anthropic('three')))).toEqual([SYSTEM_TOKENS, 0])
  })

  it('is not shared between models, and holds nothing short', () => {
    const { ask } = clocked()
    ask(BODIES.chat('one'))
    const other = BODIES.chat('two')
    expect(USED.chat(ask({ ...other, body: other.body.replace('"m"', '"n"') }))).toEqual([0, 0])
    const short = post('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'x'.repeat(4000) }] })
    ask(short)
    expect(USED.chat(ask(short))).toEqual([0, 0])
  })

  it('is billed by kind, and the sums say so', () => {
    const { ask, simulator } = clocked()
    for (const user of ['one', 'two', 'six']) ask(BODIES.anthropic(user))
    const { input_tokens, cached_tokens, cache_write_tokens, output_tokens, cost_nano } = simulator.stats()
    expect([cached_tokens, cache_write_tokens]).toEqual([2 * SYSTEM_TOKENS, SYSTEM_TOKENS])
    const plain = input_tokens - cached_tokens - cache_write_tokens
    expect(cost_nano).toBe(plain * 1000 + cached_tokens * 100 + cache_write_tokens * 1250 + output_tokens * 2000)
  })
})
