import { expect, it } from 'vitest'
import type { Alert } from '../../src/domain/alert.ts'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { NotifySpec } from '../../src/domain/spec.ts'
import { alertNotices, budgetNotices, noticesOf, type Standing } from '../../src/notify/notices.ts'

const webhook: NotifySpec = {
  kind: 'webhook',
  address: { env: 'HOOK_URL' },
  secretEnv: 'HOOK_SECRET',
  when: ['completed', 'paused'],
}
const slack: NotifySpec = { kind: 'slack', address: { env: 'SLACK_URL' }, secretEnv: null, when: ['failed', 'paused'] }

const standing = (more: Partial<Standing> = {}): Standing => ({
  job: { id: 'job_1', specName: 'tickets', round: 0, rowsTotal: 1_300 },
  counters: { ...NO_COUNTS, succeeded: 1_200, skipped: 40, costNano: 1_250_000_000, inputTokens: 9, outputTokens: 4 },
  state: 'completed',
  reason: null,
  atMs: Date.UTC(2026, 10, 22),
  ...more,
})
const told = (more: Partial<Standing> = {}) => noticesOf([webhook, slack], standing(more), () => 'uuid')

it('only those are told who want to hear of the state', () => {
  expect(told().map(({ targetNo }) => targetNo)).toEqual([0])
  expect(told({ state: 'failed' }).map(({ targetNo }) => targetNo)).toEqual([1])
  expect(told({ state: 'paused' }).map(({ targetNo }) => targetNo)).toEqual([0, 1])
  for (const state of ['cancelled', 'queued', 'running', 'finalizing', 'created'] as const) {
    expect(told({ state })).toEqual([])
  }
})

it('a webhook gets the payload of the standard', () => {
  const [notice] = told({ counters: { ...standing().counters, failed: 2, unpriced: 1 } })
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
  const [, notice] = told({ state: 'paused', reason: 'budget' })
  expect(JSON.parse(notice?.body ?? '')).toEqual({
    text: 'tickets paused (budget): 1,200 ok, 40 skipped, 60 open, $1.25. sluice report job_1',
  })
})

const all: NotifySpec[] = [
  { ...webhook, when: ['completed'] },
  { ...webhook, when: ['alert', 'budget'] },
  { ...slack, when: ['alert', 'budget'] },
]

it('a mark of a budget is told to those who want to hear of budgets, in dollars or tokens', () => {
  const mark = { limit: 'usd', of: 1_500_000_000, mark: 80, used: 1_250_000_000 } as const
  const running = standing({ state: 'running' })
  const [hook, text, ...rest] = budgetNotices(all, running, mark, () => 'uuid')
  expect(rest).toEqual([])
  expect(hook).toMatchObject({ id: 'msg_uuid', targetNo: 1, type: 'job.budget' })
  expect(JSON.parse(hook?.body ?? '')).toMatchObject({
    type: 'job.budget',
    data: { state: 'running', budget: { limit: 'usd', mark: 80, of: 1.5, used: 1.25 }, rows: { succeeded: 1_200 } },
  })
  expect(JSON.parse(text?.body ?? '').text).toMatch(
    /^tickets has used 80 % of its budget, \$1\.25 of \$1\.50: 1,200 ok, /,
  )
  const tokens = { limit: 'tokens', of: 2_000, mark: 100, used: 1_990 } as const
  const [, other] = budgetNotices(all, running, tokens, () => 'uuid')
  expect(JSON.parse(other?.body ?? '').text).toContain('has used up its budget, 1,990 tokens of 2,000 tokens: ')
})

it.each<[Alert, object, string]>([
  [
    { rule: 'failed_over', value: 0.0734567, threshold: 0.05 },
    { value: 0.0735, threshold: 0.05 },
    'tickets: 7.3 % of its rows have failed, more than 5 %: ',
  ],
  [
    { rule: 'retries_over', value: 0.25, threshold: 0.2 },
    { value: 0.25, threshold: 0.2 },
    'tickets: 25 % of its rows were asked again, more than 20 %: ',
  ],
  [
    { rule: 'running_over', value: 21_601_500, threshold: 21_600_000 },
    { value: 21_602, threshold: 21_600 },
    'tickets: it was to be done 6 hours after it began, and 6 hours are over: ',
  ],
  [
    { rule: 'cost_over_plan', value: 0.31, threshold: 0.2 },
    { value: 0.31, threshold: 0.2 },
    'tickets: it will cost 31 % more than planned, which is more than 20 %: ',
  ],
])('a broken rule is told with its value: $rule', (alert, figures, text) => {
  const [hook, slackText] = alertNotices(all, standing({ state: 'running' }), alert, () => 'uuid')
  expect(hook?.type).toBe('job.alert')
  expect(JSON.parse(hook?.body ?? '').data.alert).toEqual({ rule: alert.rule, ...figures })
  expect(JSON.parse(slackText?.body ?? '').text.startsWith(text)).toBe(true)
})
