import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseSimulatorFlags, SIMULATOR_FLAGS } from '../../src/simulator/flags.ts'

const errorsOf = (given: Parameters<typeof parseSimulatorFlags>[0]) => {
  const parsed = parseSimulatorFlags(given)
  return parsed.ok ? [] : parsed.errors
}

describe('the flags of sluice simulate', () => {
  it('read shares, durations, counts, prices and switches', () => {
    const parsed = parseSimulatorFlags({
      seed: '7',
      latency: '200ms',
      latencyP99: '2s',
      'extra-output': '200',
      extraOutputP99: '4000',
      rpm: 500,
      'rate-limited': '20%',
      serverError: '.05',
      'slow-for': '1m',
      badKey: true,
      quota: '0',
      'price-output': '12.5',
      tpm: undefined,
    })
    expect(parsed).toMatchObject({
      ok: true,
      options: {
        seed: 7,
        latency: { medianMs: 200, p99Ms: 2000 },
        extraOutput: { median: 200, p99: 4000 },
        limits: { rpm: 500, tpm: null, concurrency: null },
        faults: { rate_limited: 0.2, server_error: 0.05, reset: 0 },
        slowMs: 60_000,
        badKey: true,
        quotaRequests: 0,
        prices: { '*': { input: '0.25', output: '12.5' } },
      },
    })
  })

  it('say everything that is wrong at once, each with its flag', () => {
    expect(
      errorsOf({ latency: 'soon', rpm: '0', reset: '120%', 'price-input': '-1', sede: '1', 'bad-key': 'x' }),
    ).toEqual([
      "--latency: expected a duration such as 200ms, 2s or 1m, got 'soon'",
      "--rpm: expected a whole number above 0, got '0'",
      "--reset: expected a share such as 0.2 or 20%, got '120%'",
      "--price-input: expected USD per million tokens, such as 0.25, got '-1'",
      '--sede: no such flag of the simulator',
      "--bad-key: expected no value, got 'x'",
    ])
  })

  it('refuse what contradicts itself', () => {
    expect(errorsOf({ reset: '60%', slow: '60%' })[0]).toMatch(/--reset.*together more than a whole/)
    expect(errorsOf({ latency: '2s', 'latency-p99': '1s' })).toEqual(['--latency-p99: expected at least --latency'])
  })

  it('are all known by name and explained', () => {
    const names = SIMULATOR_FLAGS.map((flag) => flag.name)
    expect(new Set(names).size).toBe(names.length)
    for (const flag of SIMULATOR_FLAGS) expect(flag.help.length, flag.name).toBeGreaterThan(10)
  })
})

describe('docs/simulator.md', () => {
  it('lists exactly the flags that there are', () => {
    const text = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8')
    const listed = [...text.matchAll(/^\| `--([a-z0-9-]+)` \|/gm)].map((match) => match[1])
    expect(listed).toEqual(SIMULATOR_FLAGS.map((flag) => flag.name))
  })
})
