import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ANTHROPIC_HEADERS,
  COMPATIBLE_HEADERS,
  GOOGLE_HEADERS,
  GROQ_HEADERS,
  OPENAI_HEADERS,
  readLimits,
} from '../../src/provider/headers.ts'
import { parseMoment, parseSeconds, retryAfterIn } from '../../src/provider/retry-after.ts'
import { ask, replyOf } from './replay.ts'

const NOW = Date.parse('2026-03-10T22:26:00Z')
const ok = (headers: Readonly<Record<string, string>>) => replyOf(200, '', headers)
const refused = (headers: Readonly<Record<string, string>>) => replyOf(429, '', headers)
const silent = { requests: null, tokens: null, inputTokens: null, outputTokens: null, retryAfterMs: null }

describe('limits in headers', () => {
  it('reads OpenAI’s, and tells a limit per day by how slowly it refills', () => {
    const perMinute = {
      'x-ratelimit-limit-requests': '5000',
      'x-ratelimit-remaining-requests': '4999',
      'x-ratelimit-reset-requests': '12ms',
      'x-ratelimit-limit-tokens': '800000',
      'x-ratelimit-remaining-tokens': '799984',
      'x-ratelimit-reset-tokens': '6m0s',
    }
    expect(readLimits(OPENAI_HEADERS, ok(perMinute), NOW)).toEqual({
      ...silent,
      requests: { limit: 5000, remaining: 4999, resetMs: 12, windowMs: 60_000 },
      tokens: { limit: 800_000, remaining: 799_984, resetMs: 360_000, windowMs: 86_400_000 },
    })
    const perDay = {
      'x-ratelimit-limit-requests': '200',
      'x-ratelimit-remaining-requests': '199',
      'x-ratelimit-reset-requests': '7m12s',
    }
    expect(readLimits(OPENAI_HEADERS, ok(perDay), NOW)?.requests).toMatchObject({ windowMs: 86_400_000 })
  })

  it('reads Anthropic’s four windows', () => {
    const headers = Object.fromEntries(
      ['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((kind, index) => [
        [`anthropic-ratelimit-${kind}-limit`, String(1000 * (index + 1))],
        [`anthropic-ratelimit-${kind}-remaining`, '10'],
        [`anthropic-ratelimit-${kind}-reset`, '2026-03-10T22:26:48Z'],
      ]),
    )
    const window = (limit: number) => ({ limit, remaining: 10, resetMs: 48_000, windowMs: 60_000 })
    expect(readLimits(ANTHROPIC_HEADERS, ok(headers), NOW)).toEqual({
      requests: window(1000),
      tokens: window(2000),
      inputTokens: window(3000),
      outputTokens: window(4000),
      retryAfterMs: null,
    })
  })

  it('reads Groq’s requests as those of a day', () => {
    const headers = { 'x-ratelimit-limit-requests': '14400', 'x-ratelimit-limit-tokens': '12000' }
    const limits = readLimits(GROQ_HEADERS, ok(headers), NOW)
    expect([limits?.requests?.windowMs, limits?.tokens?.windowMs]).toEqual([86_400_000, 60_000])
  })

  it.each([
    ['Azure', { 'x-ratelimit-limit-requests': '250', 'x-ratelimit-renewalperiod-requests': '10' }, 250, 10_000],
    ['Mistral', { 'x-ratelimit-limit-req-minute': '5', 'x-ratelimit-remaining-req-minute': '4' }, 5, 60_000],
    ['Cerebras', { 'x-ratelimit-limit-requests-day': '14400' }, 14_400, 86_400_000],
  ])('reads the names of %s', (_who, headers, limit, windowMs) => {
    expect(readLimits(COMPATIBLE_HEADERS, ok(headers), NOW)?.requests).toMatchObject({ limit, windowMs })
  })

  it('is null where nothing is said, or nothing that can be', () => {
    expect(readLimits(GOOGLE_HEADERS, ok({ 'x-ratelimit-limit-requests': '5' }), NOW)).toBeNull()
    expect(readLimits(COMPATIBLE_HEADERS, ok({ 'x-ratelimit-limit-requests': '-1' }), NOW)).toBeNull()
  })

  it('counts a retry-after on refusals only', () => {
    expect(readLimits(OPENAI_HEADERS, ok({ 'retry-after': '30' }), NOW)).toBeNull()
    expect(readLimits(OPENAI_HEADERS, refused({ 'retry-after': '30' }), NOW)).toEqual({
      ...silent,
      retryAfterMs: 30_000,
    })
    expect(readLimits(OPENAI_HEADERS, refused({}), NOW, { bodyWaitMs: 500, quota: null })).toEqual({
      ...silent,
      retryAfterMs: 500,
    })
    expect(
      readLimits(OPENAI_HEADERS, refused({ 'retry-after': '2' }), NOW, { bodyWaitMs: 500, quota: null })?.retryAfterMs,
    ).toBe(2000)
  })
})

describe('waits', () => {
  it.each([
    ['6m0s', 360_000],
    ['12ms', 12],
    ['1h2m3.5s', 3_723_500],
    ['0s', 0],
    ['31s', 31_000],
    ['2', 2000],
    ['0.5', 500],
    ['250us', 1],
    ['', null],
    ['soon', null],
    ['5 s', null],
    ['-3', null],
  ])('%s is %s ms', (text, ms) => {
    expect(parseSeconds(text)).toBe(ms)
  })

  it('reads any Go duration back', () => {
    const parts = fc.record({ h: fc.nat(99), m: fc.nat(59), s: fc.nat(59), ms: fc.nat(999) })
    fc.assert(
      fc.property(parts, ({ h, m, s, ms }) => {
        const expected = ((h * 60 + m) * 60 + s) * 1000 + ms
        expect(parseSeconds(`${h}h${m}m${s}s${ms}ms`)).toBe(expected)
        expect(parseSeconds(`${h}h${m}m${s + ms / 1000}s`)).toBeGreaterThanOrEqual(expected)
        expect(parseSeconds(`${h}h${m}m${s + ms / 1000}s`)).toBeLessThanOrEqual(expected + 1)
      }),
    )
  })

  it('reads dates as the time until then', () => {
    expect(parseMoment('Tue, 10 Mar 2026 22:27:00 GMT', NOW)).toBe(60_000)
    expect(parseMoment('2026-03-10T22:25:00Z', NOW)).toBe(0)
    expect(parseMoment('12', NOW)).toBeNull()
    expect(retryAfterIn({ 'retry-after': 'Tue, 10 Mar 2026 22:26:05 GMT' }, NOW)).toBe(5000)
    expect(retryAfterIn({ 'retry-after-ms': '1500', 'retry-after': '9' }, NOW)).toBe(1500)
    expect(retryAfterIn({ 'retry-after-ms': 'x', 'retry-after': '9' }, NOW)).toBe(9000)
    expect(retryAfterIn({}, NOW)).toBeNull()
  })

  it('reach the failure, from headers or from the body', async () => {
    const body = {
      error: {
        code: 429,
        status: 'RESOURCE_EXHAUSTED',
        message: 'slow',
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '31s' }],
      },
    }
    const fromBody = await ask('google/g', replyOf(429, body))
    expect(fromBody).toMatchObject({
      failure: { cause: 'rate_limited', retryAfterMs: 31_000 },
      limits: { retryAfterMs: 31_000 },
    })
    const fromHeader = await ask('openai-chat/m', replyOf(429, '', { 'retry-after-ms': '250' }))
    expect(fromHeader).toMatchObject({ failure: { retryAfterMs: 250 }, limits: { retryAfterMs: 250 } })
  })
})
