import { budgetText } from '../delivery/budget-text.ts'
import { isTerminal, WAITS_FOR_TENANT } from '../domain/job.ts'
import type { JobStatus, LiveStatus } from '../engine.ts'
import { batchText } from './batch-view.ts'
import { age, bar, clock, cost, count, counted, percentDone, rate } from './figures.ts'
import { laneText, turnaroundText, wayReason } from './lane-view.ts'
import { clip, pad, printable } from './terminal-text.ts'

/** The panel never has more lines than this. */
export const PANEL_LINES = 8

const BAR_COLUMNS = 40
const LABEL_COLUMNS = 8

/** What the panel shows besides the job: the clock, and whether somebody asked to stop. */
export interface PanelMoment {
  readonly nowMs: number
  /** `watching`: this process only looks on, and Ctrl-C ends that alone. */
  readonly stage: 'working' | 'stopping' | 'abandoning' | 'watching'
}

/** The panel of a job as plain text: at most eight lines, none wider than `width` columns. */
export function panelLines(status: JobStatus, moment: PanelMoment, width: number): string[] {
  const lines = [
    headLine(status),
    barLine(status, width),
    line('rows', rowsText(status)),
    workLine(status, moment.nowMs),
    moneyLine(status),
    savedLine(status, moment.nowMs),
    line('errors', errorsText(status)),
    interruptText(status, moment),
  ]
  return lines.map((text) => clip(text, width))
}

/** What the job is doing, in a few words; `null` while it just works. */
export function phaseText(status: JobStatus): string | null {
  const { job, live } = status
  if (live === null) return job.state === 'running' ? null : stateText(status)
  const note = live.note === null ? '' : `: ${printable(live.note)}`
  switch (live.phase) {
    case 'intake':
      return `reading input${note}`
    case 'working':
      return live.note === null ? null : printable(live.note)
    case 'stopping':
      return `stopping: ${counted(live.inFlight, 'row')} in flight`
    case 'waiting':
      return live.note === null ? 'waiting for the provider' : `waiting for the provider${note}`
    case 'finalizing':
      return 'finalizing'
    case 'storage':
      return `the store cannot be written, trying again${note}`
  }
}

/** `paused: credentials`, `running`, and the wish where the state has not followed it yet. */
export function stateText(status: Pick<JobStatus, 'job'>): string {
  const { state, reason, wanted, waits } = status.job
  const base = waits ? `${state} (${WAITS_FOR_TENANT})` : reason === null ? state : `${state}: ${reason}`
  if (wanted === null || isTerminal(state) || state === 'paused') return base
  return `${base} (${wanted} asked)`
}

/** Percent for a progress display: 100 is kept for a job that is over. */
export function shownPercent(status: JobStatus): number {
  const percent = percentDone(status.rowsDone, status.job.rowsTotal)
  return isTerminal(status.job.state) ? percent : Math.min(99, percent)
}

function line(label: string, text: string): string {
  return `${pad(label, LABEL_COLUMNS)}${text}`
}

/** Which job this is: id, spec, model, lane. */
export function headLine(status: JobStatus): string {
  return [status.job.id, status.job.specName, status.model, status.lane].map(printable).join(' · ')
}

function barLine(status: JobStatus, width: number): string {
  const { job, live, rowsDone } = status
  if (live?.phase === 'intake') return `reading input   ${counted(job.rowsTotal, 'row')} so far`
  const figures = `${pad(`${shownPercent(status)}%`, 4, 'right')}   ${count(rowsDone)}/${count(job.rowsTotal)}`
  const phase = phaseText(status) ?? etaText(status)
  const columns = Math.max(12, Math.min(BAR_COLUMNS, width - figures.length - 20))
  return `${bar(rowsDone, job.rowsTotal, columns)} ${figures}   ${phase}`
}

function etaText(status: JobStatus): string {
  const etaMs = status.live?.etaMs ?? null
  return etaMs === null ? `elapsed ${clock(status.elapsedMs)}` : `eta ${clock(etaMs)}`
}

/** Rows by what became of them: `ok 119 (3 reused)   failed 3   running 16   pending 62`. */
export function rowsText(status: JobStatus): string {
  const { counters, live, job, rowsDone } = status
  const running = live?.inFlight ?? 0
  const parts = [
    `ok ${count(counters.succeeded)}${counters.cached > 0 ? ` (${count(counters.cached)} reused)` : ''}`,
    `failed ${count(counters.failed)}`,
  ]
  if (counters.skipped > 0) parts.push(`skipped ${count(counters.skipped)}`)
  if (counters.cancelled > 0) parts.push(`cancelled ${count(counters.cancelled)}`)
  if (live !== null) parts.push(`running ${count(running)}`)
  parts.push(`pending ${count(Math.max(0, job.rowsTotal - rowsDone - running))}`)
  return parts.join('   ')
}

/** How fast it goes; of a job in batches, how those stand. */
function workLine(status: JobStatus, nowMs: number): string {
  const { batches, turnarounds } = status
  const inBatches = batches === null ? null : batchText(batches, nowMs)
  if (inBatches === null) return line('speed', speedText(status.live))
  return line('batches', turnarounds === null ? inBatches : `${inBatches}   ${turnaroundText(turnarounds)}`)
}

function speedText(live: LiveStatus | null): string {
  if (live === null) return 'known only where the job is worked on'
  const parts = [
    `${rate(live.rowsPerSecond)} rows/s`,
    `${rate(live.tokensPerMinute)} tokens/min`,
    `concurrency ${count(live.concurrency)}`,
  ]
  if (live.retrying.length > 0)
    parts.push(`asked again: ${live.retrying.map((each) => `${count(each.attempts)} ${each.cause}`).join(', ')}`)
  return parts.join('   ')
}

/** Tokens and cost; or the budget, where there is one. */
function moneyLine(status: JobStatus): string {
  const { budget } = status
  if (budget === null) return line('tokens', tokensText(status))
  return line('money', `${budgetText(budget)}   ${tokenCounts(status)}`)
}

/** Tokens and cost: `in 41,388 (12,160 cached)   out 3,561   cost $0.0214`. */
export function tokensText(status: JobStatus): string {
  return `${tokenCounts(status)}   cost ${cost(status.counters)}`
}

/** `in 41,388 (12,160 cached)   out 3,561`. */
export function tokenCounts({ counters }: JobStatus): string {
  const cached = counters.cachedTokens > 0 ? ` (${count(counters.cachedTokens)} cached)` : ''
  return `in ${count(counters.inputTokens)}${cached}   out ${count(counters.outputTokens)}`
}

/** What is safe; of a job whose lane was chosen, or that has a deadline, first how it stands to those. */
function savedLine(status: JobStatus, nowMs: number): string {
  const lane = laneText(status, nowMs)
  if (lane === null) return line('saved', savedText(status, nowMs))
  const saved = `${count(status.chunksDone)} of ${counted(status.job.chunksTotal, 'chunk')} saved`
  const why = wayReason(status)
  return line('lane', [lane, saved, ...(why === null ? [] : [why])].join('   '))
}

function savedText(status: JobStatus, nowMs: number): string {
  const chunks = `${count(status.chunksDone)} of ${counted(status.job.chunksTotal, 'chunk')}`
  const lastMs = status.live?.lastCommitMs ?? null
  return lastMs === null ? chunks : `${chunks}   last checkpoint ${age(nowMs - lastMs)} ago`
}

function errorsText(status: JobStatus): string {
  if (status.causes.length === 0) return 'none'
  return status.causes.map((each) => `${count(each.rows)} ${each.cause}`).join('   ')
}

function interruptText(status: JobStatus, moment: PanelMoment): string {
  const inFlight = counted(status.live?.inFlight ?? 0, 'row')
  switch (moment.stage) {
    case 'working':
      return 'Ctrl-C stops cleanly: rows in flight finish, the rest stay pending.'
    case 'stopping':
      return `Stopping: ${inFlight} in flight finish (10 s at most); Ctrl-C again abandons them.`
    case 'abandoning':
      return 'Stopping at once. What was finished is kept.'
    case 'watching':
      return 'Ctrl-C stops watching; the job goes on.'
  }
}
