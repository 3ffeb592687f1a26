import type { JobState } from '../domain/job.ts'
import { formatUsd } from '../domain/money.ts'
import type { ReportData, ReportedRows } from './report-data.ts'
import { count, counted, percent } from './report-figures.ts'

export type VerdictWord =
  | 'PASS'
  | 'FAIL'
  | 'CANCELLED'
  | 'PAUSED'
  | 'RUNNING'
  | 'QUEUED'
  | 'FINALIZING'
  | 'READING INPUT'

const WORDS: Readonly<Record<JobState, VerdictWord>> = Object.freeze({
  completed: 'PASS',
  failed: 'FAIL',
  cancelled: 'CANCELLED',
  paused: 'PAUSED',
  running: 'RUNNING',
  queued: 'QUEUED',
  finalizing: 'FINALIZING',
  created: 'READING INPUT',
})

/** Causes that the verdict names; the report has them all. */
const CAUSES_NAMED = 3

/** How a job stands, in a word and a sentence: `PASS`, `199 of 200 rows succeeded (99.5%) for $0.0218; 1 dead letter (content_filtered).` */
export interface Verdict {
  readonly word: VerdictWord
  readonly sentence: string
}

/** The verdict on a job. Shares are rounded down: 100% is all of them. */
export function verdictOf(data: ReportData): Verdict {
  return { word: WORDS[data.job.state], sentence: `${[rowsAndCost(data), ...rest(data)].join('; ')}.` }
}

/** What a job has cost, for people: where prices are unknown it is a lower bound, or unknown, and never 0. */
export function costText(nano: number, unpriced: number): string {
  if (unpriced === 0) return formatUsd(nano)
  return nano === 0 ? 'unknown' : `at least ${formatUsd(nano)}`
}

function rowsAndCost(data: ReportData): string {
  const { rows, job } = data
  const taken = rows.total - rows.skipped
  if (job.input === null && job.state !== 'created') return 'the input was not read in full'
  if (rows.total === 0) return job.state === 'created' ? 'no rows yet' : 'the input has no rows'
  if (taken === 0) return `input.where skipped all rows (${count(rows.total)})`
  const share = percent(rows.succeeded, taken)
  return `${count(rows.succeeded)} of ${counted(taken, 'row')} succeeded (${share}) for ${price(data)}`
}

function price({ ledger, simulated }: ReportData): string {
  const cost = costText(ledger.costNano, ledger.unpriced)
  if (cost === 'unknown') return 'an unknown cost'
  if (simulated === 'all') return `a simulated ${cost}`
  return simulated === 'some' ? `${cost}, in part simulated` : cost
}

function rest({ rows, causes }: ReportData): readonly string[] {
  return [deadLetters(rows, causes), ...others(rows)].filter((part) => part !== '')
}

function deadLetters(rows: ReportedRows, causes: ReportData['causes']): string {
  if (rows.failed === 0) return ''
  const named = causes
    .slice(0, CAUSES_NAMED)
    .map(({ cause, rows: n }) => (causes.length === 1 ? cause : `${cause} ${count(n)}`))
  const more = causes.length > CAUSES_NAMED ? [`${causes.length - CAUSES_NAMED} more`] : []
  const why = named.length === 0 ? '' : ` (${[...named, ...more].join(', ')})`
  return `${counted(rows.failed, 'dead letter')}${why}`
}

function others({ pending, cancelled, skipped, total }: ReportedRows): readonly string[] {
  const parts: readonly (readonly [number, string])[] = [
    [pending, 'pending'],
    [cancelled, 'cancelled'],
    [skipped === total ? 0 : skipped, 'skipped'],
  ]
  return parts.map(([n, word]) => (n === 0 ? '' : `${count(n)} ${word}`))
}
