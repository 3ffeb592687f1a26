import { describe, expect, it } from 'vitest'
import { planFile, planJson, readPlanFile } from '../../src/delivery/plan-json.ts'
import { planMarkdown } from '../../src/delivery/plan-markdown.ts'
import { A_ROUTE, aPlan } from './a-plan.ts'

const golden = (name: string) => new URL(`fixtures/${name}`, import.meta.url)

describe('a plan as Markdown', () => {
  it('is a comment for a review: a small table, what differs, what it is made of', async () => {
    await expect(planMarkdown(aPlan())).toMatchFileSnapshot(golden('plan.md').pathname)
  })

  it('of a first job whose price is not known says so', async () => {
    const { use } = aPlan()
    const unknown = aPlan({
      priceSource: null,
      use: { ...use, costNano: null, worstCostNano: null, basis: { kind: 'length' } },
      time: null,
      budget: [],
      explanation: { job: null, reasons: [] },
      notes: [],
    })
    await expect(planMarkdown(unknown)).toMatchFileSnapshot(golden('plan-unpriced.md').pathname)
  })

  it('of the lane auto has the ways that were compared, and which it is', async () => {
    const { spec } = aPlan()
    const routed = aPlan({ spec: { ...spec, lane: 'auto' }, route: A_ROUTE, explanation: null, notes: [] })
    await expect(planMarkdown(routed)).toMatchFileSnapshot(golden('plan-auto.md').pathname)
  })

  it('says of a batch that nobody knows how long it takes', () => {
    const { spec } = aPlan()
    expect(planMarkdown(aPlan({ spec: { ...spec, lane: 'batch' }, time: null }))).toContain(
      'unknown: a day at the most, mostly hours',
    )
  })

  it('gives no name of a spec or model a meaning of its own', () => {
    const text = planMarkdown(aPlan({ spec: { ...aPlan().spec, name: 'a|b <script>', model: 'x/`y`' } }))
    expect(text).toContain('a\\|b \\<script>')
    expect(text).toContain('`` x/`y` ``')
  })
})

describe('a plan as JSON', () => {
  it('says money in dollars and time in seconds', () => {
    expect(planJson(aPlan())).toMatchObject({
      type: 'plan',
      schema: 'sluice.plan/1',
      rows: { total: 10_003, to_run: 9_950, reuse: 40, duplicates: 10, skipped: 2, unreadable: 1, failing: 0 },
      cost_usd: { low: 0.854, expected: 0.882, high: 0.913 },
      worst_cost_usd: 5.1,
      time_s: { low: 252, expected: 290, high: 341, bound: 'concurrency 64' },
      budget: [
        { limit: 'usd', amount: 20, fit: 'fits' },
        { limit: 'tokens', amount: 2_300_000, fit: 'may not fit' },
      ],
    })
  })

  it('says which way auto goes, and what it was compared with', () => {
    expect(planJson(aPlan())).toMatchObject({ spec: { lane: 'live' }, route: null })
    expect(planJson(aPlan({ route: A_ROUTE })).route).toEqual({
      way: 'batch',
      why: A_ROUTE.why,
      deadline_s: 43_200,
      ways: [
        {
          way: 'batch',
          cost_usd: { low: 0.427, expected: 0.441, high: 0.4565 },
          time_s: { low: 1200, expected: 3600, high: 10_800 },
          basis: 'the last 12 batches of this account',
          share_in_time: 0.98,
          expected_usd: 0.44982,
        },
        expect.objectContaining({ way: 'live', share_in_time: 1, expected_usd: 0.882 }),
      ],
    })
  })

  it('kept in a file gives back what it is bound to, and its command', () => {
    const command = { spec: 'triage.yaml', overrides: { limit: 5 } }
    const plan = aPlan()
    expect(readPlanFile(planFile(plan, command), 'plan.json')).toEqual({
      id: plan.id,
      binding: plan.binding,
      expectedNano: plan.use.costNano?.expected ?? null,
      command,
    })
  })

  it.each(['', 'null', '[]', '{"schema":"sluice.plan/1"}', '{"schema":"sluice.plan/2","plan":"p"}', 'spec: x'])(
    'anything else is no plan: %j',
    (text) => {
      expect(() => readPlanFile(text, 'plan.json')).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }))
    },
  )
})
