import type { Events } from '../events.ts'
import type { Log } from './log.ts'
import { logRows } from './row-lines.ts'
import { otlpExporter, traceWork } from './traces.ts'

/** What of the work in a process is told outside of it. */
export interface WorkWatch {
  /** A line for each attempt and each row. */
  readonly rowLines: boolean
  /** `null`: no traces. */
  readonly tracesUrl: string | null
  readonly traceShare: number
}

/** Begins to tell; nothing is listened to that nobody wants to hear. The way out sends what is left. */
export function observeWork(events: Events, watch: WorkWatch, log: Log, version: string): () => Promise<void> {
  const stopLines = watch.rowLines ? logRows(events, log) : null
  const stopTraces =
    watch.tracesUrl === null
      ? null
      : traceWork(events, { exporter: otlpExporter(watch.tracesUrl), version, share: watch.traceShare })
  return async () => {
    stopLines?.()
    await stopTraces?.()
  }
}
