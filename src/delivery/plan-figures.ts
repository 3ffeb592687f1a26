import { formatUsd } from '../domain/money.ts'
import type { Basis, BudgetFit, Explanation, Plan, PlannedRows, PlannedTime } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import { count, counted, span } from './report-figures.ts'

/** A sum of money as a range: `$0.0210 to $0.0270`; one figure where both ends read the same. */
export function costRange(range: Range | null): string {
  return range === null ? 'unknown: the price is not known' : rangeText(range, formatUsd)
}

/** A number as a range: `2,900 to 4,400`. */
export function countRange(range: Range): string {
  return rangeText(range, count)
}

/** The time of a plan as a range, with what it is bound by: `38 s to 52 s, bound by concurrency 64`. */
export function timeRange({ time, rows, spec, route }: Pick<Plan, 'time' | 'rows' | 'spec' | 'route'>): string {
  if (time !== null) return `${rangeText(time.ms, span)}, bound by ${time.bound}`
  if (rows.toRun === 0) return 'none: nothing is to be sent'
  const way = route?.way ?? spec.lane
  return way === 'batch' ? 'unknown: a day at the most, mostly hours' : 'unknown: nothing was asked yet'
}

/** What the time rests on. */
export function timeBasis(time: PlannedTime | null): string {
  if (time === null) return ''
  if (time.basis === 'pace') return 'the pace of earlier jobs'
  if (time.basis === 'turnarounds') return 'how long batches of this account took'
  return time.basis === 'latency' ? 'how long single rows took' : "the account's limits alone"
}

/** What a range rests on, and how sure it is. */
export function basisText(basis: Basis): string {
  switch (basis.kind) {
    case 'pilot':
      return `a pilot of ${counted(basis.rows, 'row')} (${basis.job}), 98% prediction interval`
    case 'history': {
      const rows = `${counted(basis.rows, 'row')} of ${counted(basis.jobs.length, 'earlier job')}`
      return basis.version === 'same'
        ? `${rows}, 98% prediction interval`
        : `${rows} with another prompt, widened by a quarter`
    }
    case 'length':
      return 'the length of the requests and max_output_tokens, one attempt a row: bounds, no estimate'
    case 'nothing':
      return 'nothing is to be sent'
  }
}

/** Rows by what a run would do: `200   to run 197   reuse 3   …`; what is not there is left out. */
export function rowParts(rows: PlannedRows): readonly string[] {
  const { toRun, reuse, duplicates, skipped, unreadable, failing, exact } = rows
  const about = exact ? '' : 'about '
  const parts = [`to run ${about}${count(toRun)}`, `reuse ${about}${count(reuse)}`]
  if (duplicates > 0) parts.push(`repeated in the input ${about}${count(duplicates)}`)
  parts.push(`skipped ${count(skipped)}`)
  if (unreadable > 0) parts.push(`unreadable ${count(unreadable)}`)
  if (failing > 0) parts.push(`failing unsent ${count(failing)}`)
  return parts
}

/** A limit of the budget as the spec names it, and how much it is: `budget.usd`, `$20.00`. */
export function limitText({ limit, amount }: BudgetFit): readonly [name: string, amount: string] {
  return limit === 'usd' ? ['budget.usd', formatUsd(amount)] : ['budget.tokens', count(amount)]
}

/** Why rows are paid for again, a line each. */
export function reasonLines({ job, reasons }: Explanation): readonly string[] {
  if (job === null) return ['all rows: there is no earlier job of this spec']
  if (reasons.length === 0) return [`no row, compared with ${job}`]
  const lines = reasons.map(({ reason, rows, place }) => {
    const where = place === null ? '' : ` (${place})`
    return rows === 0 ? `also: ${reason}${where}` : `${counted(rows, 'row')}: ${reason}${where}`
  })
  return [`compared with ${job}`, ...lines]
}

/** Both ends of a range; one figure where they read the same. */
export function rangeText({ low, high }: Range, write: (n: number) => string): string {
  const [from, to] = [write(low), write(high)]
  return from === to ? from : `${from} to ${to}`
}
