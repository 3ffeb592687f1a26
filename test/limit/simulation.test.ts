import { describe, expect, it } from 'vitest'
import { answeredPerMinute, between, refusedShare, simulation, tokensPerMinute } from './simulation.ts'

const WARM_MS = 30_000
const END_MS = WARM_MS + 300_000
const MINUTE_MS = 60_000
const SEEDS = [1, 2, 3]
/** As OpenAI takes them: what is asked for at the most, where the prompt is shorter. */
const reserved = (size: { readonly inputTokens: number; readonly maxOutput: number }) =>
  Math.max(size.inputTokens, size.maxOutput)

describe.each(SEEDS)('five minutes at a limit, seed %i', (seed) => {
  it.each([
    ['headers', 'headers'],
    ['headers that round tokens to thousands', 'thousands'],
    ['nothing but what a refusal names', 'quota'],
    ['nothing at all', 'nothing'],
  ] as const)('of requests, told by %s', (_name, telling) => {
    const run = simulation({ seed, telling, limits: { rpm: 600 } })
    run.run(END_MS)
    expect(answeredPerMinute(run.sent, WARM_MS, END_MS) / 600).toBeGreaterThan(0.98)
    expect(refusedShare(run.sent, WARM_MS, END_MS)).toBeLessThan(0.005)
  })

  it.each([
    ['headers, and counted as asked for at the most', 'headers', reserved],
    ['headers that round to thousands', 'thousands', undefined],
    ['nothing but what a refusal names', 'quota', undefined],
  ] as const)('of tokens, told by %s', (_name, telling, counts) => {
    const run = simulation({ seed, telling, limits: { tpm: 60_000 }, ...(counts && { counts }) })
    run.run(END_MS)
    expect(tokensPerMinute(run.sent, WARM_MS, END_MS) / 60_000).toBeGreaterThan(0.98)
    expect(refusedShare(run.sent, WARM_MS, END_MS)).toBeLessThan(0.005)
  })

  it('of both, whichever binds', () => {
    const run = simulation({ seed, limits: { rpm: 600, tpm: 130_000 }, counts: reserved })
    run.run(END_MS)
    const requests = answeredPerMinute(run.sent, WARM_MS, END_MS) / 600
    const tokens = tokensPerMinute(run.sent, WARM_MS, END_MS) / 130_000
    expect(Math.max(requests, tokens)).toBeGreaterThan(0.98)
    expect(refusedShare(run.sent, WARM_MS, END_MS)).toBeLessThan(0.005)
  })

  it('that only the spec gives', () => {
    const run = simulation({ seed, telling: 'nothing', limits: { rpm: 600 }, given: { rpm: 600 } })
    run.run(END_MS)
    expect(answeredPerMinute(run.sent, WARM_MS, END_MS) / 600).toBeGreaterThan(0.98)
    expect(run.sent.filter(({ reply }) => reply.status === 429)).toEqual([])
  })
})

describe.each(SEEDS)('a limit that changes, seed %i', (seed) => {
  it.each(['headers', 'thousands', 'quota'] as const)('is kept to within ten seconds when halved: %s', (telling) => {
    const changes = [{ afterMs: 90_000, rpm: 300 }]
    const run = simulation({ seed, telling, limits: { rpm: 600, changes } })
    run.run(240_000)
    for (let at = 100_000; at < 230_000; at += 10_000) {
      expect(answeredPerMinute(run.sent, at, at + 10_000) / 300).toBeGreaterThan(0.9)
    }
    expect(answeredPerMinute(run.sent, 100_000, 240_000) / 300).toBeGreaterThan(0.95)
    expect(refusedShare(run.sent, 100_000, 240_000)).toBeLessThan(0.005)
  })

  it('is used when it is raised', () => {
    const run = simulation({ seed, limits: { rpm: 300, changes: [{ afterMs: 60_000, rpm: 900 }] } })
    run.run(150_000)
    expect(answeredPerMinute(run.sent, 90_000, 150_000) / 900).toBeGreaterThan(0.98)
  })
})

describe.each(SEEDS)('a provider that is out, seed %i', (seed) => {
  it.each([429, 503] as const)('with %i for half a minute is asked now and then, and used again at once', (status) => {
    const run = simulation({ seed, outages: [{ fromMs: 20_000, toMs: 50_000, status }], max: 16 })
    run.run(50_000)
    expect(run.state().down).toBeNull()
    expect(between(run.sent, 30_000, 50_000).length).toBeLessThan(20)
    run.run(50_000)
    const before = answeredPerMinute(run.sent, 10_000, 20_000)
    expect(answeredPerMinute(run.sent, 75_000, 100_000) / before).toBeGreaterThan(0.9)
  })

  it.each([429, 503] as const)('with %i for ever is taken for down within the minute', (status) => {
    const run = simulation({ seed, outages: [{ fromMs: 0, toMs: Number.POSITIVE_INFINITY, status }] })
    let downMs: number | null = null
    while (downMs === null && run.clock.elapsed() < 120_000) {
      run.run(1_000)
      if (run.state().down !== null) downMs = run.clock.elapsed()
    }
    expect(downMs).toBeGreaterThan(30_000)
    expect(downMs).toBeLessThan(55_000)
    expect(run.sent.length).toBeLessThan(80)
  })
})

describe.each(SEEDS)('a provider that refuses a fifth at random, seed %i', (seed) => {
  it('is not taken for one with a limit: what it answers is used', () => {
    const run = simulation({ seed, telling: 'nothing', moody: 0.2, medianMs: 50 })
    run.run(120_000)
    expect(answeredPerMinute(run.sent, WARM_MS, 120_000)).toBeGreaterThan(1_200)
  })
})

describe.each(SEEDS)('a server that slows down and refuses nobody, seed %i', (seed) => {
  it.each([4, 12, 40])('with %i places is kept busy, and nobody waits long in line', (capacity) => {
    const run = simulation({ seed, capacity, medianMs: 500, spread: 0, telling: 'nothing', max: 256 })
    run.run(END_MS)
    const best = (capacity * 60_000) / 500
    expect(answeredPerMinute(run.sent, WARM_MS, END_MS) / best).toBeGreaterThan(0.95)
    const times = between(run.sent, WARM_MS, END_MS).map(({ reply }) => reply.tookMs)
    expect(times.reduce((a, b) => a + b, 0) / times.length / 500).toBeLessThan(2)
  })

  it('is not taken for saturated because answers are of many lengths', () => {
    const run = simulation({ seed, telling: 'nothing', spread: 1, medianMs: 800, max: 64 })
    run.run(5 * MINUTE_MS)
    const meanMs = 800 * Math.exp(0.5)
    expect(answeredPerMinute(run.sent, MINUTE_MS, 5 * MINUTE_MS) / ((64 * 60_000) / meanMs)).toBeGreaterThan(0.9)
  })
})
