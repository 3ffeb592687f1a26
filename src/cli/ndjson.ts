import { budgetEvent } from '../delivery/budget-text.ts'
import { deadlineEvent, routeEvent } from '../delivery/route-json.ts'
import { costUsd, isTerminal, rowTotals, tokenTotals } from '../domain/job.ts'
import { batchesFields, jobFields } from '../engine/job-json.ts'
import type { IntakeProgress, JobStatus } from '../engine.ts'
import { type ExitCode, findingJson, placeJson } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { createCadence } from './cadence.ts'
import { knownError } from './known-error.ts'
import { type Output, StdoutClosed } from './output.ts'

/** Name and version of the lines on stdout; fields are only ever added to it. */
export const EVENT_SCHEMA = 'sluice.events/1'

/** The lines that a command prints for programs (contract §5): a version first, a summary last. In human mode nothing is printed. */
export interface EventLines {
  note(message: string): void
  intake(progress: IntakeProgress): void
  /** State when it changed, progress now and then. */
  status(status: JobStatus): void
  /** Any other line; `type` says which. */
  line(event: { readonly type: string } & Readonly<Record<string, unknown>>): void
  /** A line that is JSON text already; resolves when the reader has taken it, so that a long list never waits in memory. */
  text(line: string): Promise<void>
  summary(status: JobStatus): void
  error(error: unknown): void
  /** Resolves when everything was taken by the reader; rejects when stdout failed other than by being closed. */
  flush(): Promise<void>
}

/** Lines are written in order. Once the reader is gone the rest is dropped: the work goes on. */
export function createEventLines(output: Output, runtime: Runtime): EventLines {
  const cadence = createCadence(runtime)
  let written = Promise.resolve()
  let opened = false
  let standing = ''
  let lastRoute = ''
  let lastIntakeMs = Number.NEGATIVE_INFINITY
  const write = (event: object) => writeText(`${JSON.stringify(event)}\n`)
  const writeText = (line: string) => {
    if (output.mode === 'human') return
    const version = opened ? '' : `${JSON.stringify({ type: 'version', schema: EVENT_SCHEMA })}\n`
    opened = true
    const text = `${version}${line}`
    written = written.then(() => output.data(text))
    // Seen here so that it is no unhandled rejection; `flush` reports it.
    written.catch(() => undefined)
  }
  const status = (now: JobStatus) => {
    const next = [now.job.state, now.job.reason, now.job.wanted].join('|')
    if (next !== standing) write(stateEvent(now))
    standing = next
    const route = routeEvent(now.job.route)
    if (route !== null && lastRoute !== JSON.stringify(route)) write({ type: 'route', job: now.job.id, ...route })
    lastRoute = JSON.stringify(route)
    if (cadence.due(now)) write(progressEvent(now, runtime.now()))
  }
  return Object.freeze({
    note: (message: string) => write({ type: 'note', message }),
    intake: (progress: IntakeProgress) => {
      if (runtime.elapsed() - lastIntakeMs < 10_000) return
      lastIntakeMs = runtime.elapsed()
      write(intakeEvent(progress))
    },
    status,
    line: write,
    async text(line: string) {
      writeText(line.endsWith('\n') ? line : `${line}\n`)
      await written
    },
    summary: (now: JobStatus) => write(summaryOf(now)),
    error: (error: unknown) => write(errorEvent(error)),
    flush: () =>
      written.catch((error: unknown) => {
        if (!(error instanceof StdoutClosed)) throw error
      }),
  })
}

/** The last line of a command about one job: keys and their order are fixed by the contract. */
export function summaryOf(status: JobStatus): object {
  const { job, counters } = status
  return {
    type: 'summary',
    job: job.id,
    state: job.state,
    reason: job.reason,
    rows: rowTotals(status.job.rowsTotal, status.counters),
    attempts: counters.attempts,
    tokens: tokenTotals(counters),
    cost_usd: costUsd(counters),
    elapsed_s: seconds(status.elapsedMs),
  }
}

/** One job as a line of `sluice jobs`. */
export function jobEvent(
  status: JobStatus,
  nowMs: number,
): { readonly type: 'job' } & Readonly<Record<string, unknown>> {
  return { type: 'job', job: status.job.id, ...jobFields(status, nowMs) }
}

function stateEvent({ job }: JobStatus): object {
  return {
    type: 'state',
    job: job.id,
    state: job.state,
    reason: job.reason,
    detail: job.detail,
    wanted: job.wanted,
    over: isTerminal(job.state),
  }
}

function progressEvent(status: JobStatus, nowMs: number): object {
  const { live } = status
  return {
    type: 'progress',
    job: status.job.id,
    phase: live?.phase ?? null,
    rows: rowTotals(status.job.rowsTotal, status.counters),
    rows_done: status.rowsDone,
    in_flight: live?.inFlight ?? null,
    chunks: { total: status.job.chunksTotal, done: status.chunksDone },
    tokens: tokenTotals(status.counters),
    cost_usd: costUsd(status.counters),
    rows_per_s: live === null ? null : Math.round(live.rowsPerSecond * 10) / 10,
    eta_s: live?.etaMs == null ? null : seconds(live.etaMs),
    causes: Object.fromEntries(status.causes.map((each) => [each.cause, each.rows])),
    elapsed_s: seconds(status.elapsedMs),
    budget: budgetEvent(status.budget),
    batches: batchesFields(status.batches),
    ...progressOnLane(status, nowMs),
  }
}

/** Which way it goes, without what it was compared with when it was chosen. */
function progressOnLane({ job, deadlineAtMs }: JobStatus, nowMs: number): object {
  return { way: job.route?.way ?? null, deadline: deadlineEvent(deadlineAtMs, job, nowMs) }
}

function intakeEvent(progress: IntakeProgress): object {
  return {
    type: 'intake',
    rows: progress.rows,
    unreadable: progress.unreadable,
    bytes_read: progress.bytesRead,
    bytes_total: progress.bytesTotal,
  }
}

function errorEvent(error: unknown): object {
  const known = knownError(error)
  const exitCode: ExitCode = known?.exitCode ?? 1
  return {
    type: 'error',
    code: known?.code ?? 'internal',
    message: known?.message ?? (error instanceof Error ? error.message : String(error)),
    hint: known?.hint ?? null,
    place: placeJson(known?.place ?? null),
    findings: (known?.findings ?? []).map(findingJson),
    exit_code: exitCode,
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000
}
