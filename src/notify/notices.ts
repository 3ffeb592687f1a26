import {
  type Counters,
  costUsd,
  type Job,
  type JobState,
  rowTotals,
  type StateReason,
  tokenTotals,
} from '../domain/job.ts'
import { formatUsd } from '../domain/money.ts'
import { isNotifyState, type NewNotice, type NoticeType, noticeType } from '../domain/notice.ts'
import type { NotifySpec } from '../domain/spec.ts'

/** A change of a job's state, with its totals at that moment. */
export interface Change {
  readonly job: Pick<Job, 'id' | 'specName' | 'round' | 'rowsTotal'>
  readonly counters: Counters
  readonly to: JobState
  readonly reason: StateReason | null
  readonly atMs: number
}

/**
 * What a change of state has to tell, one notice for each target that wants to hear of it. They hold the job's name, state and totals: never
 * contents of rows, nor the sentence on its reason, in which an error may quote one. `uuid` gives a new UUIDv7 at each call.
 */
export function noticesOf(notify: readonly NotifySpec[], change: Change, uuid: () => string): readonly NewNotice[] {
  const { to } = change
  if (!isNotifyState(to)) return []
  const type = noticeType(to, change.counters)
  return notify.flatMap(({ when, ...target }, targetNo) => {
    if (!when.includes(to)) return []
    const body = target.kind === 'slack' ? slackBody(change) : webhookBody(type, change)
    return [{ id: `msg_${uuid()}`, targetNo, target, type, body }]
  })
}

/** The payload of Standard Webhooks: what happened, when, and the job as it stands. */
function webhookBody(type: NoticeType, { job, counters, to, reason, atMs }: Change): string {
  return JSON.stringify({
    type,
    timestamp: new Date(atMs).toISOString(),
    data: {
      job: job.id,
      spec: job.specName,
      round: job.round,
      state: to,
      reason,
      rows: rowTotals(job.rowsTotal, counters),
      tokens: tokenTotals(counters),
      cost_usd: costUsd(counters),
      report: `sluice report ${job.id}`,
    },
  })
}

/** One sentence. A spec's name holds nothing that Slack would read as markup. */
function slackBody({ job, counters, to, reason }: Change): string {
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
  const why = reason === null ? '' : ` (${reason})`
  return JSON.stringify({ text: `${job.specName} ${to}${why}: ${totals.join(', ')}. sluice report ${job.id}` })
}
