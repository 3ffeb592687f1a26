import { Writable } from 'node:stream'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { type AttemptEnd, createEvents, type EventMap, type Events, type RowEnd } from '../../src/events.ts'
import { createLog, type Log } from '../../src/telemetry/log.ts'
import { manualRuntime } from '../cli/harness.ts'

export const JOB_ID = 'job_01934f5e-0000-7000-8000-000000000000'
export const OF_JOB = { jobNo: 7, jobId: JOB_ID, tenantNo: 1 } as const

export function newEvents(): Events {
  return createEvents((name, error) => {
    throw new Error(`listener of ${name}`, { cause: error })
  })
}

export function anAttempt(more: Partial<AttemptEnd> = {}): AttemptEnd {
  return {
    ...OF_JOB,
    chunkNo: 0,
    rowIndex: 0,
    round: 0,
    number: 1,
    model: 'openai/gpt-5-mini',
    lane: 'live',
    cause: null,
    tokens: 110,
    usage: { ...NO_USAGE, inputTokens: 100, cachedInputTokens: 40, outputTokens: 10 },
    costNano: 2_000_000,
    startedAtMs: 1_000,
    endedAtMs: 1_500,
    again: false,
    ...more,
  }
}

export function aRowEnd(more: Partial<RowEnd> = {}): RowEnd {
  const ended = { rowIndex: 0, state: 'succeeded', cause: null, attempts: 1, lane: 'live' } as const
  return { ...ended, inputTokens: 100, outputTokens: 10, endedAtMs: 1_500, ...more }
}

export function rowsEnd(rows: readonly RowEnd[], chunkNo = 0): EventMap['rows.ended'] {
  const count = (state: RowEnd['state']) => rows.filter((row) => row.state === state).length
  const delta = { ...NO_COUNTS, succeeded: count('succeeded'), failed: count('failed'), cached: 1 }
  return { ...OF_JOB, chunkNo, rows: rows.length, delta, causes: [], each: () => rows }
}

/** A log whose lines can be read. */
export function memoryLog(): { readonly log: Log; lines(): readonly Record<string, unknown>[] } {
  let text = ''
  const to = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const lines = () =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { log: createLog(to, manualRuntime(), 'info'), lines }
}
