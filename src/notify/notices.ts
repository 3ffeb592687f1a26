import type { Alert } from '../domain/alert.ts'
import type { BudgetMark } from '../domain/budget-mark.ts'
import {
  type Counters,
  costUsd,
  type Job,
  type JobState,
  rowTotals,
  type StateReason,
  tokenTotals,
} from '../domain/job.ts'
import { durationText } from '../domain/limit-text.ts'
import { formatUsd, toUsd } from '../domain/money.ts'
import { isNotifyState, type NewNotice, type NoticeType, type NotifyEvent, noticeType } from '../domain/notice.ts'
import type { NotifySpec } from '../domain/spec.ts'

/** A job at a moment, with its totals. */
export interface Standing {
  readonly job: Pick<Job, 'id' | 'specName' | 'round' | 'rowsTotal'>
  readonly counters: Counters
  /** The state that it has, or has just come into. */
  readonly state: JobState
  readonly reason: StateReason | null
  readonly atMs: number
}

/** What there is to tell: the event that targets choose by, its type, what a webhook is told besides, and how a sentence on it begins. */
interface News {
  readonly event: NotifyEvent
  readonly type: NoticeType
  readonly data: Readonly<Record<string, unknown>>
  readonly headline: string
}

/**
 * What a job's coming into its state has to tell, one notice for each target that wants to hear of it. They hold the job's name, state and totals: never
 * contents of rows, nor the sentence on its reason, in which an error may quote one. `uuid` gives a new UUIDv7 at each call.
 */
export function noticesOf(notify: readonly NotifySpec[], standing: Standing, uuid: () => string): readonly NewNotice[] {
  const { state, reason, counters, job } = standing
  if (!isNotifyState(state)) return []
  const headline = `${job.specName} ${state}${reason === null ? '' : ` (${reason})`}`
  return noticesOn(notify, standing, { event: state, type: noticeType(state, counters), data: {}, headline }, uuid)
}

/** The same of a mark that one of the job's budgets has reached. */
export function budgetNotices(
  notify: readonly NotifySpec[],
  standing: Standing,
  { limit, of, mark, used }: BudgetMark,
  uuid: () => string,
): readonly NewNotice[] {
  const isMoney = limit === 'usd'
  const show = (amount: number) => (isMoney ? formatUsd(amount) : `${amount.toLocaleString('en-US')} tokens`)
  const amounts = { of: isMoney ? toUsd(of) : of, used: isMoney ? toUsd(used) : used }
  const news: News = {
    event: 'budget',
    type: 'job.budget',
    data: { budget: { limit, mark, ...amounts } },
    headline: `${standing.job.specName} has used ${mark === 100 ? 'up' : `${mark} % of`} its budget, ${show(used)} of ${show(of)}`,
  }
  return noticesOn(notify, standing, news, uuid)
}

/** The same of a rule that the job has broken. */
export function alertNotices(
  notify: readonly NotifySpec[],
  standing: Standing,
  alert: Alert,
  uuid: () => string,
): readonly NewNotice[] {
  const { rule, value, threshold } = alert
  const inUnits = (amount: number) =>
    rule === 'running_over' ? Math.round(amount / 1000) : Math.round(amount * 10_000) / 10_000
  const news: News = {
    event: 'alert',
    type: 'job.alert',
    data: { alert: { rule, value: inUnits(value), threshold: inUnits(threshold) } },
    headline: `${standing.job.specName}: ${alertText(alert)}`,
  }
  return noticesOn(notify, standing, news, uuid)
}

function alertText({ rule, value, threshold }: Alert): string {
  const percent = (share: number) => `${Math.round(share * 1000) / 10} %`
  switch (rule) {
    case 'failed_over':
      return `${percent(value)} of its rows have failed, more than ${percent(threshold)}`
    case 'retries_over':
      return `${percent(value)} of its rows were asked again, more than ${percent(threshold)}`
    case 'running_over':
      return `it was to be done ${durationText(threshold)} after it began, and ${durationText(value)} are over`
    case 'cost_over_plan':
      return `it will cost ${percent(value)} more than planned, which is more than ${percent(threshold)}`
  }
}

function noticesOn(
  notify: readonly NotifySpec[],
  standing: Standing,
  news: News,
  uuid: () => string,
): readonly NewNotice[] {
  return notify.flatMap(({ when, ...target }, targetNo) => {
    if (!when.includes(news.event)) return []
    const body = target.kind === 'slack' ? slackBody(news, standing) : webhookBody(news, standing)
    return [{ id: `msg_${uuid()}`, targetNo, target, type: news.type, body }]
  })
}

/** The payload of Standard Webhooks: what happened, when, and the job as it stands. */
function webhookBody({ type, data }: News, { job, counters, state, reason, atMs }: Standing): string {
  return JSON.stringify({
    type,
    timestamp: new Date(atMs).toISOString(),
    data: {
      job: job.id,
      spec: job.specName,
      round: job.round,
      state,
      reason,
      ...data,
      rows: rowTotals(job.rowsTotal, counters),
      tokens: tokenTotals(counters),
      cost_usd: costUsd(counters),
      report: `sluice report ${job.id}`,
    },
  })
}

/** One sentence. A spec's name holds nothing that Slack would read as markup. */
function slackBody({ headline }: News, { job, counters }: Standing): string {
  const rows = (n: number, what: string) => (n === 0 ? [] : [`${n.toLocaleString('en-US')} ${what}`])
  const { succeeded, failed, skipped, cancelled } = counters
  const open = job.rowsTotal - succeeded - failed - skipped - cancelled
  const totals = [
    ...rows(succeeded, 'ok'),
    ...rows(failed, 'failed'),
    ...rows(skipped, 'skipped'),
    ...rows(cancelled, 'cancelled'),
    ...rows(open, 'open'),
    `${counters.unpriced === 0 ? '' : 'at least '}${formatUsd(counters.costNano)}`,
  ]
  return JSON.stringify({ text: `${headline}: ${totals.join(', ')}. sluice report ${job.id}` })
}
