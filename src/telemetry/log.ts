import { type DestinationStream, type Logger, pino } from 'pino'
import type { Runtime } from '../runtime.ts'

export type Log = Logger

/**
 * A log of JSON lines: `time` in UTC milliseconds, `level` by its name, `msg` and the fields of the line. Nothing is added by itself: no host, no
 * process id, which whoever gathers the lines knows better.
 */
export function createLog(
  to: DestinationStream,
  runtime: Runtime,
  level: 'silent' | 'error' | 'warn' | 'info' | 'debug',
): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":${runtime.now()}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    to,
  )
}
