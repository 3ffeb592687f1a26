import { createLogUpdate } from 'log-update'
import type { WorkerStatus } from '../engine.ts'
import type { Runtime } from '../runtime.ts'
import { count, counted, rate } from './figures.ts'
import type { Output } from './output.ts'
import { clip, printable } from './terminal-text.ts'

/** How often a log hears that all is as it was. */
const INTERVAL_MS = 10_000

/** Shows a worker of the fleet to whoever looks at stderr. */
export interface WorkerDisplay {
  /** Returns whether it is time for a line in a log: at first, now and then, and when it changed what it does. */
  show(status: WorkerStatus): boolean
  /** A sentence that stays. */
  say(text: string): void
  close(): void
}

/** One calm line that renews itself on a terminal, else a line now and then. */
export function createWorkerDisplay(output: Output, runtime: Runtime): WorkerDisplay {
  const isDue = cadence(runtime)
  const line = output.live ? createLogUpdate(output.stderr as NodeJS.WriteStream, { showCursor: true }) : null
  return Object.freeze({
    show(status: WorkerStatus) {
      const due = isDue(status)
      if (line !== null) line(clip(workerLine(status), output.width() - 1))
      else if (due) output.say(workerLine(status))
      return due
    },
    say(text: string) {
      line?.clear()
      output.say(text)
    },
    close: () => line?.clear(),
  })
}

/** Idle, it says nothing twice; at work, it speaks each ten seconds. */
function cadence(runtime: Runtime): (status: WorkerStatus) => boolean {
  let last: { readonly atMs: number; readonly standing: string; readonly rowsDone: number } | null = null
  return (status) => {
    const now = {
      atMs: runtime.elapsed(),
      standing: [status.phase, status.concurrency, ...status.roles].join('|'),
      rowsDone: status.rowsDone,
    }
    const due =
      last === null ||
      now.standing !== last.standing ||
      (now.atMs - last.atMs >= INTERVAL_MS && (status.phase !== 'idle' || now.rowsDone !== last.rowsDone))
    if (due) last = now
    return due
  }
}

/** `working   2 jobs   5/5 chunks   48 in flight (64 at most)   123 rows/s   12,345 rows   janitor`. */
export function workerLine(status: WorkerStatus): string {
  const most = status.concurrency === null ? '' : ` (${count(status.concurrency)} at most)`
  const parts = [
    { idle: 'waiting for work', working: 'working', stopping: 'stopping', storage: 'waiting for the store' }[
      status.phase
    ],
    counted(status.jobs, 'job'),
    `${count(status.chunks)}/${counted(status.chunksMax, 'chunk')}`,
    `${count(status.inFlight)} in flight${most}`,
    `${rate(status.rowsPerSecond)} rows/s`,
    counted(status.rowsDone, 'row'),
    ...(status.roles.length > 0 ? [status.roles.join(', ')] : []),
    ...(status.note === null ? [] : [printable(status.note)]),
  ]
  return parts.join('   ')
}

/** A worker as a line for programs. */
export function workerEvent(status: WorkerStatus, phase: WorkerStatus['phase'] | 'left') {
  return {
    type: 'worker',
    worker: status.workerId,
    phase,
    jobs: status.jobs,
    chunks: { max: status.chunksMax, held: status.chunks },
    in_flight: status.inFlight,
    concurrency: status.concurrency,
    rows_done: status.rowsDone,
    rows_per_s: Math.round(status.rowsPerSecond * 10) / 10,
    roles: status.roles,
    note: status.note,
  } as const
}
