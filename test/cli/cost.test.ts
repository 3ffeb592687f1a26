import { describe, expect, it } from 'vitest'
import type { CostLine, CostReport, CostRequest } from '../../src/engine.ts'
import { cli } from './harness.ts'

const line = (more: Partial<CostLine>): CostLine => ({
  key: null,
  attempts: 1_000,
  open: 0,
  inputTokens: 2_000_000,
  cachedTokens: 1_900_000,
  cacheWriteTokens: 2_000,
  outputTokens: 5_000,
  reasoningTokens: 300,
  costNano: 327_545_400,
  unpriced: 0,
  failedCostNano: 0,
  lostCostNano: 0,
  orphanedCostNano: 0,
  ...more,
})

const report = (request: CostRequest): CostReport => ({
  ...request,
  lines: [line({ key: 'support', failedCostNano: 12_300_000 }), line({ unpriced: 7, costNano: 0 })],
  total: line({ attempts: 2_000, open: 3, unpriced: 7, failedCostNano: 12_300_000, lostCostNano: 1 }),
})

const costing = (options: Parameters<typeof cli>[1] = {}) => {
  const asked: CostRequest[] = []
  const face = cli(
    {
      costs: async (request) => {
        asked.push(request)
        return report(request)
      },
    },
    options,
  )
  return { ...face, asked }
}

describe('sluice cost', () => {
  it('is a table on a terminal, with the total last; what is not known is not 0', async () => {
    const { run, out, err } = costing({ tty: 100 })
    expect(await run('cost', '--by', 'team')).toBe(0)
    expect(out().split('\n')).toEqual([
      'TEAM     ATTEMPTS  TOKENS IN     CACHED    OUT              COST  NO ANSWER',
      'support     1,000  2,000,000  1,900,000  5,000           $0.3275    $0.0123',
      '(none)      1,000  2,000,000  1,900,000  5,000           unknown',
      'total       2,000  2,000,000  1,900,000  5,000  at least $0.3275    $0.0123',
      '',
    ])
    expect(err()).toContain('The price of 7 attempts is not known')
  })

  it('is a line for each where it is piped, by kind of token', async () => {
    const { run, events } = costing()
    expect(await run('cost', '--by', 'tag.cost_center')).toBe(0)
    const [version, first, second, total] = events()
    expect(version).toMatchObject({ type: 'version' })
    expect(first).toEqual({
      type: 'cost',
      by: 'tag.cost_center',
      key: 'support',
      attempts: 1_000,
      open: 0,
      tokens: { input: 2_000_000, cached: 1_900_000, cache_write: 2_000, output: 5_000, reasoning: 300 },
      cost_usd: 0.3275454,
      lower_bound: false,
      without_accepted_answer_usd: 0.0123,
      lost_usd: 0,
      orphaned_usd: 0,
    })
    expect(second).toMatchObject({ key: null, cost_usd: null, lower_bound: true })
    expect(total).toMatchObject({ type: 'cost_total', since: null, open: 3, lost_usd: 1e-9 })
  })

  it('reads from a day on, or from so long ago, and goes by spec unless told otherwise', async () => {
    const { run, asked } = costing()
    await run('cost')
    await run('cost', '--by', 'model', '--since', '2026-11-01')
    await run('cost', '--by', 'day', '--since', '2d')
    expect(asked).toEqual([
      { by: 'spec', since: null },
      { by: 'model', since: '2026-11-01' },
      { by: 'day', since: '2026-11-20' },
    ])
  })

  it.each([
    ['--by', 'customer'],
    ['--by', 'tag.'],
    ['--since', '2026-13-01'],
    ['--since', 'yesterday'],
  ])('refuses %s %s', async (...flags) => {
    const { run, asked } = costing()
    expect(await run('cost', ...flags)).toBe(2)
    expect(asked).toEqual([])
  })
})
