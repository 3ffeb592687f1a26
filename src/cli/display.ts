import { createLogUpdate } from 'log-update'
import { routeText } from '../delivery/route-text.ts'
import type { IntakeProgress, JobStatus } from '../engine.ts'
import type { Runtime } from '../runtime.ts'
import { batchText } from './batch-view.ts'
import { createCadence } from './cadence.ts'
import { clock, cost, count, counted, percentDone, rate } from './figures.ts'
import { wayReason } from './lane-view.ts'
import type { Output } from './output.ts'
import { headLine, type PanelMoment, panelLines, phaseText, shownPercent, stateText } from './panel.ts'
import type { Style } from './style.ts'
import { clip } from './terminal-text.ts'

/** Shows a job's way to whoever looks at stderr, until closed. */
export interface Display {
  intake(progress: IntakeProgress): void
  status(status: JobStatus): void
  /** The user asked to stop, or to stop at once. */
  stage(stage: PanelMoment['stage']): void
  /** Takes the panel away; what was said line by line stays. */
  close(): void
}

/** A live panel on a terminal, else a line now and then. */
export function createDisplay(output: Output, runtime: Runtime, stage: PanelMoment['stage']): Display {
  return output.live ? panelDisplay(output, runtime, stage) : lineDisplay(output, runtime)
}

function panelDisplay(output: Output, runtime: Runtime, initial: PanelMoment['stage']): Display {
  // The cursor stays visible: hidden, it would stay so after a kill -9.
  const panel = createLogUpdate(output.stderr as NodeJS.WriteStream, { showCursor: true })
  let stage = initial
  let latest: JobStatus | null = null
  const draw = () => {
    if (latest === null) return
    // One column is left free: some terminals break a line that fills the last one.
    const lines = panelLines(latest, { nowMs: runtime.now(), stage }, output.width() - 1)
    panel(toned(lines, output.sayStyle).join('\n'))
  }
  return Object.freeze({
    intake: (progress: IntakeProgress) => panel(clip(intakeText(progress), output.width() - 1)),
    status: (status: JobStatus) => {
      latest = status
      draw()
    },
    stage: (next: PanelMoment['stage']) => {
      stage = next
      draw()
    },
    close: () => panel.clear(),
  })
}

/** Colour goes on after cutting, so that widths stay those of plain text. */
function toned(lines: readonly string[], style: Style): string[] {
  return lines.map((text, index) => {
    if (index === 0) return style.bold(text)
    if (index === 1) return text.replace(/#+/, (done) => style.green(done))
    if (text.startsWith('errors ') && !text.endsWith('none')) return style.red(text)
    return text.replace(/^[a-z]+ +/, (label) => style.dim(label))
  })
}

function lineDisplay(output: Output, runtime: Runtime): Display {
  const cadence = createCadence(runtime)
  let introduced = false
  let way: string | undefined
  let lastIntakeMs: number | null = null
  return Object.freeze({
    intake: (progress: IntakeProgress) => {
      const nowMs = runtime.elapsed()
      if (lastIntakeMs !== null && nowMs - lastIntakeMs < 10_000) return
      lastIntakeMs = nowMs
      output.say(intakeText(progress))
    },
    status: (status: JobStatus) => {
      if (!introduced) output.say(headLine(status))
      introduced = true
      const { route } = status.job
      if (route !== undefined && route.way !== way) output.say(`lane ${routeText(route)} (${wayReason(status)})`)
      way = route?.way
      if (cadence.due(status)) output.say(statusLine(status, runtime.now()))
    },
    stage: (stage: PanelMoment['stage']) => {
      if (stage === 'stopping')
        output.say('stopping: rows in flight finish (10 s at most); a second signal abandons them')
      if (stage === 'abandoning') output.say('stopping at once')
    },
    close: () => undefined,
  })
}

/** `reading input   12,340 rows   41%`. */
export function intakeText(progress: IntakeProgress): string {
  const parts = ['reading input', counted(progress.rows, 'row')]
  if (progress.bytesTotal !== null) parts.push(`${percentDone(progress.bytesRead, progress.bytesTotal)}%`)
  if (progress.unreadable > 0) parts.push(`${count(progress.unreadable)} unreadable`)
  return parts.join('   ')
}

/** A job in one line, for a display without a cursor. */
export function statusLine(status: JobStatus, nowMs: number): string {
  const { counters, job, live } = status
  const parts = [
    phaseText(status) ?? stateText(status),
    `${shownPercent(status)}%`,
    `${count(status.rowsDone)}/${counted(job.rowsTotal, 'row')}`,
    `ok ${count(counters.succeeded)}`,
    `failed ${count(counters.failed)}`,
  ]
  const inBatches = status.batches === null ? null : batchText(status.batches, nowMs)
  if (inBatches !== null) parts.push(inBatches)
  else if (live !== null) parts.push(`${rate(live.rowsPerSecond)} rows/s`)
  if (live?.etaMs != null) parts.push(`eta ${clock(live.etaMs)}`)
  parts.push(cost(counters))
  return parts.join('  ')
}
