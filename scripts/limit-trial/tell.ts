import { SATURATED, type TrialCase } from './cases.ts'
import { figuresOf, type Logged, settledAfterS, throughputShare } from './figures.ts'
import type { Paused } from './pausing.ts'

/** What is known when a trial has run: the simulator's log by time, and how to ask the store of the jobs. */
export interface Ran {
  readonly log: readonly Logged[]
  readonly firstMs: number
  readonly warmS: number
  readonly measureS: number
  readonly query: Query
}

/** Asks the store that a trial's jobs are in. */
export type Query = <T>(sql: string) => Promise<readonly T[]>

/** What a case came to, and whether that is what must be seen. */
export interface Told {
  readonly line: string
  readonly kept: boolean
}

/** How long a job takes at the most to know that its provider is down. */
const DOWN_WITHIN_S = 60

/** A case with a limit: how much of it was used, and how much was refused. */
export function tellLimit(trial: TrialCase, { log, firstMs, warmS, measureS }: Ran): Told {
  const changedMs = firstMs + (trial.changed?.afterS ?? 0) * 1000
  const began = trial.changed === undefined ? firstMs + warmS * 1000 : changedMs + 10_000
  const ended = trial.changed === undefined ? began + measureS * 1000 : Math.max(...log.map(({ time }) => time))
  const { requests, refused, refusedShare, limitShare, worst10s } = figuresOf(trial, log, began, ended)
  const warm = log.filter(({ time, status }) => time < began && status === 429).length
  const settled = trial.changed === undefined ? null : settledAfterS(trial, log, changedMs)
  const extra = trial.changed === undefined ? '' : `, at the new limit after ${settled ?? '> 60'} s`
  const line = `${percent(limitShare)} of the limit, worst 10 s ${percent(worst10s)}, 429s ${percent(refusedShare)} (${refused} of ${requests}; ${warm} before)${extra}`
  const kept = (limitShare ?? 0) >= (trial.changed === undefined ? 0.98 : 0.95) && refusedShare < 0.005
  return { line, kept: kept && (trial.changed === undefined || (settled ?? 99) <= 10) }
}

/** A server that slows down: its throughput against its best, and how long an answer takes against its least. */
export async function tellSaturated(trial: TrialCase, { log, firstMs, warmS, measureS, query }: Ran): Promise<Told> {
  const fromMs = firstMs + warmS * 1000
  const share = throughputShare(figuresOf(trial, log, fromMs, fromMs + measureS * 1000), measureS)
  const times = await query<{ ms: number }>(
    `select ended_at_ms - started_at_ms as ms from attempts where state = 'booked' and started_at_ms >= ${fromMs}`,
  )
  const sorted = times.map(({ ms }) => Number(ms)).sort((a, b) => a - b)
  const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN) / SATURATED.leastMs
  const line = `${percent(share)} of the best throughput, latency ${at(0.5).toFixed(2)} times its least at the median, ${at(0.95).toFixed(2)} at the 95th percentile`
  return { line, kept: share >= 0.95 && at(0.5) <= 2 }
}

/** A provider that turns all away: when the job paused, and whether it went on when asked to. */
export async function tellDown(paused: Paused, query: Query): Promise<Told> {
  const [row] = await query<{ burnt: number; ok: number }>(
    'select coalesce(sum(case when cause is not null and counts = 1 then 1 else 0 end), 0) as burnt, coalesce(sum(case when cause is null then 1 else 0 end), 0) as ok from attempts',
  )
  const [burnt, ok] = [Number(row?.burnt ?? 0), Number(row?.ok ?? 0)]
  return {
    line: `paused after ${paused.afterS.toFixed(1)} s (${paused.detail}); attempts used up: ${burnt}; ${ok} rows answered after \`resume\``,
    kept: paused.afterS < DOWN_WITHIN_S && burnt === 0 && ok > 0,
  }
}

function percent(share: number | null): string {
  return share === null ? 'none' : `${(share * 100).toFixed(2)} %`
}
