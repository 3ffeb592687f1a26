import type { Plan, PlannedRoute } from '../../src/domain/plan.ts'

const HOUR = 3_600_000

/** Batch, chosen from two ways with a deadline of half a day. */
export const A_ROUTE: PlannedRoute = {
  way: 'batch',
  why: '49 % cheaper than live: 98 % of the rows are expected in time, the rest goes live',
  deadlineMs: 12 * HOUR,
  ways: [
    {
      way: 'batch',
      costNano: { low: 427_000_000, expected: 441_000_000, high: 456_500_000 },
      ms: { low: HOUR / 3, expected: HOUR, high: 3 * HOUR },
      basis: 'the last 12 batches of this account',
      share: 0.98,
      expectedNano: 449_820_000,
    },
    {
      way: 'live',
      costNano: { low: 854_000_000, expected: 882_000_000, high: 913_000_000 },
      ms: { low: 252_000, expected: 290_000, high: 341_000 },
      basis: 'concurrency 64',
      share: 1,
      expectedNano: 882_000_000,
    },
  ],
}

/** A plan with everything that a plan may say; `more` wins. */
export function aPlan(more: Partial<Plan> = {}): Plan {
  return {
    id: 'plan_01934f5e-7c1f-7000-8000-0123456789ab',
    madeAtMs: Date.UTC(2026, 10, 22, 8, 0, 0),
    binding: { specHash: '7c1f00aa'.repeat(8), inputHash: '9ab2cdef'.repeat(8), priceHash: '11223344'.repeat(8) },
    spec: {
      name: 'ticket-triage',
      model: 'openai/gpt-5-mini',
      params: { max_output_tokens: 200 },
      fallbacks: ['openai/gpt-5'],
      lane: 'live',
    },
    priceSource: 'genai-prices 0.1.8, 2026-11-22',
    rows: {
      total: 10_003,
      toRun: 9_950,
      reuse: 40,
      duplicates: 10,
      skipped: 2,
      unreadable: 1,
      failing: 0,
      exact: true,
    },
    use: {
      inputTokens: { low: 2_040_100, expected: 2_086_000, high: 2_131_900 },
      outputTokens: { low: 172_000, expected: 180_400, high: 190_100 },
      costNano: { low: 854_000_000, expected: 882_000_000, high: 913_000_000 },
      worstCostNano: 5_100_000_000,
      basis: { kind: 'pilot', rows: 50, job: 'job_01934f5e-7c1f-7000-8000-00000000000b' },
    },
    time: {
      ms: { low: 252_000, expected: 290_000, high: 341_000 },
      bound: 'concurrency 64',
      basis: 'latency',
    },
    route: null,
    budget: [
      { limit: 'usd', amount: 20_000_000_000, fit: 'fits' },
      { limit: 'tokens', amount: 2_300_000, fit: 'may not fit' },
    ],
    explanation: {
      job: 'job_01934f5e-7c1f-7000-8000-00000000000a',
      reasons: [
        { reason: 'prompt changed', rows: 9_938, place: 'prompt.user, line 2' },
        { reason: 'failed before', rows: 12, place: null },
        { reason: 'parameters changed', rows: 0, place: 'model.params.temperature' },
      ],
    },
    notes: ["As a batch it would cost about half, $0.4270 to $0.4565, by the provider's price list; this asks live."],
    ...more,
  }
}
