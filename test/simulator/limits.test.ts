import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLimits } from '../../src/simulator/limits.ts'
import { goDuration } from '../../src/simulator/openai-errors.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { chat, post, responseOf } from './asking.ts'

describe('buckets', () => {
  it('never let more through than a full bucket and what flowed in since', () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 5_000 }), tokens: fc.integer({ min: 1, max: 900 }) })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 100, max: 9_000 }),
        (steps, rpm, tpm) => {
          let now = 0
          let requests = 0
          let tokens = 0
          const limits = createLimits({ rpm, tpm, concurrency: null }, () => now)
          for (const one of steps) {
            now += one.waitMs
            if (limits.admit(one.tokens) !== null) continue
            requests += 1
            tokens += one.tokens
            expect(requests).toBeLessThanOrEqual(rpm + (rpm * now) / 60_000 + 1e-6)
            expect(tokens).toBeLessThanOrEqual(tpm + (tpm * now) / 60_000 + 1e-6)
          }
        },
      ),
    )
  })

  it('tell a wait after which the request passes, and before which it does not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 600 }), fc.integer({ min: 1, max: 30_000 }), (rpm, startMs) => {
        let now = startMs
        const limits = createLimits({ rpm, tpm: null, concurrency: null }, () => now)
        for (let at = 0; at < rpm; at += 1) expect(limits.admit(1)).toBe(null)
        const hit = limits.admit(1)
        const wait = Math.ceil(hit?.retryAfterMs ?? 0)
        now += wait - 2
        expect(limits.admit(1)).not.toBe(null)
        now += 3
        expect(limits.admit(1)).toBe(null)
      }),
    )
  })
})

describe('OpenAI', () => {
  it('sends a true 429 with both waits, and headers that say where the buckets stand', () => {
    let now = 0
    const simulator = createSimulator({ nowMs: () => now, limits: { rpm: 60, tpm: 6_000 } })
    const ask = () => responseOf(simulator.handle(chat('hello', null, { max_tokens: 200 })))
    const first = ask()
    expect(first.headers).toMatchObject({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '6000',
      'x-ratelimit-remaining-tokens': '5800',
      'x-ratelimit-reset-tokens': '2s',
    })
    for (let at = 1; at < 30; at += 1) expect(ask().status).toBe(200)
    const hit = ask()
    expect(hit).toMatchObject({ status: 429, headers: { 'retry-after': '2', 'retry-after-ms': '2000' } })
    expect(JSON.parse(hit.body).error).toMatchObject({ type: 'tokens', code: 'rate_limit_exceeded', param: null })
    expect(JSON.parse(hit.body).error.message).toMatch(
      /Limit 6000, Used 6000, Requested 200\. Please try again in 2s\./,
    )
    now += 2_000
    expect(ask().status).toBe(200)
  })

  it('says once and for all when a request is larger than the limit', () => {
    const simulator = createSimulator({ nowMs: () => 0, limits: { tpm: 100 } })
    const hit = responseOf(simulator.handle(chat('x', null, { max_tokens: 101 })))
    expect(hit.status).toBe(429)
    expect(hit.headers).not.toHaveProperty('retry-after')
    expect(JSON.parse(hit.body).error.message).toMatch(/^Request too large for tickets .* Limit 100, Requested 101/)
  })

  it.each([
    [0, '0s'],
    [0.2, '1ms'],
    [12, '12ms'],
    [1_500, '1.5s'],
    [360_000, '6m0s'],
    [3_723_004, '1h2m3.004s'],
  ])('writes %d ms as %s', (ms, text) => expect(goDuration(ms)).toBe(text))
})

describe('Anthropic', () => {
  it('gives resets as times, tokens in thousands and retry-after in whole seconds', () => {
    const start = Date.UTC(2026, 10, 22, 8, 0, 0)
    const simulator = createSimulator({ nowMs: () => start, limits: { rpm: 1, tpm: 20_000 } })
    const ask = () =>
      responseOf(
        simulator.handle(
          post('/v1/messages', { model: 'm', max_tokens: 9_000, messages: [{ role: 'user', content: 'hi' }] }),
        ),
      )
    expect(ask().headers).toMatchObject({
      'anthropic-ratelimit-requests-limit': '1',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-11-22T08:01:00Z',
      'anthropic-ratelimit-input-tokens-limit': '20000',
      'anthropic-ratelimit-input-tokens-remaining': '20000',
      'anthropic-ratelimit-tokens-remaining': '20000',
    })
    const hit = ask()
    expect(hit).toMatchObject({ status: 429, headers: { 'retry-after': '60', 'x-should-retry': 'true' } })
    expect(JSON.parse(hit.body)).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
  })
})

describe('Gemini', () => {
  it('tells the wait in the body alone', () => {
    const simulator = createSimulator({ nowMs: () => 0, limits: { rpm: 2 } })
    const ask = () =>
      responseOf(
        simulator.handle(post('/v1beta/models/gemini-x:generateContent', { contents: [{ parts: [{ text: 'hi' }] }] })),
      )
    ask()
    ask()
    const hit = ask()
    expect(Object.keys(hit.headers).filter((name) => /retry|limit/.test(name))).toEqual([])
    expect(JSON.parse(hit.body).error).toMatchObject({
      code: 429,
      status: 'RESOURCE_EXHAUSTED',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaValue: '2' }] },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '30s' },
      ],
    })
  })
})

describe('a server of one’s own', () => {
  it('turns away more than it can work on at once, until one is done', () => {
    let now = 0
    const simulator = createSimulator({
      nowMs: () => now,
      limits: { concurrency: 2 },
      latency: { medianMs: 100, p99Ms: 100 },
    })
    const status = () => responseOf(simulator.handle(chat('x'))).status
    expect([status(), status(), status()]).toEqual([200, 200, 503])
    now = 101
    expect(status()).toBe(200)
  })
})
