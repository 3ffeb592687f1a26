import { expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { NotifySpec } from '../../src/domain/spec.ts'
import { type Change, noticesOf } from '../../src/notify/notices.ts'

const webhook: NotifySpec = {
  kind: 'webhook',
  address: { env: 'HOOK_URL' },
  secretEnv: 'HOOK_SECRET',
  when: ['completed', 'paused'],
}
const slack: NotifySpec = { kind: 'slack', address: { env: 'SLACK_URL' }, secretEnv: null, when: ['failed', 'paused'] }

const change = (more: Partial<Change> = {}): Change => ({
  job: { id: 'job_1', specName: 'tickets', round: 0, rowsTotal: 1_300 },
  counters: { ...NO_COUNTS, succeeded: 1_200, skipped: 40, costNano: 1_250_000_000, inputTokens: 9, outputTokens: 4 },
  to: 'completed',
  reason: null,
  atMs: Date.UTC(2026, 10, 22),
  ...more,
})
const told = (more: Partial<Change> = {}) => noticesOf([webhook, slack], change(more), () => 'uuid')

it('only those are told who want to hear of the state', () => {
  expect(told().map(({ targetNo }) => targetNo)).toEqual([0])
  expect(told({ to: 'failed' }).map(({ targetNo }) => targetNo)).toEqual([1])
  expect(told({ to: 'paused' }).map(({ targetNo }) => targetNo)).toEqual([0, 1])
  for (const to of ['cancelled', 'queued', 'running', 'finalizing', 'created'] as const) {
    expect(told({ to })).toEqual([])
  }
})

it('a webhook gets the payload of the standard', () => {
  const [notice] = told({ counters: { ...change().counters, failed: 2, unpriced: 1 } })
  expect(notice).toMatchObject({ id: 'msg_uuid', type: 'job.completed_with_failures' })
  expect(JSON.parse(notice?.body ?? '')).toEqual({
    type: 'job.completed_with_failures',
    timestamp: '2026-11-22T00:00:00.000Z',
    data: {
      job: 'job_1',
      spec: 'tickets',
      round: 0,
      state: 'completed',
      reason: null,
      rows: { total: 1_300, succeeded: 1_200, failed: 2, skipped: 40, cancelled: 0, cached: 0 },
      tokens: { input: 9, cached: 0, output: 4 },
      cost_usd: 1.25,
      report: 'sluice report job_1',
    },
  })
  expect(told()[0]?.type).toBe('job.completed')
  const unpriced = told({ counters: { ...NO_COUNTS, unpriced: 3 } })[0]
  expect(JSON.parse(unpriced?.body ?? '').data.cost_usd).toBeNull()
})

it('Slack gets one sentence', () => {
  const [, notice] = told({ to: 'paused', reason: 'budget' })
  expect(JSON.parse(notice?.body ?? '')).toEqual({
    text: 'tickets paused (budget): 1,200 ok, 40 skipped, 60 open, $1.25. sluice report job_1',
  })
})
