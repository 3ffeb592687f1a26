import { expect, it } from 'vitest'
import { logRows } from '../../src/telemetry/row-lines.ts'
import { anAttempt, aRowEnd, JOB_ID, memoryLog, newEvents, rowsEnd } from './fixtures.ts'

it('writes a line for each attempt and each row, with ids, tokens and the cause', () => {
  const events = newEvents()
  const { log, lines } = memoryLog()
  const stop = logRows(events, log)
  events.emit('attempt.ended', anAttempt({ rowIndex: 3, number: 2, cause: 'timeout', again: true }))
  events.emit('rows.ended', rowsEnd([aRowEnd({ rowIndex: 3, state: 'failed', cause: 'timeout' }), aRowEnd()]))
  stop()
  events.emit('attempt.ended', anAttempt())
  const [attempt, row, other, ...more] = lines()
  const of = { level: 'info', job_id: JOB_ID, chunk: 0 }
  expect(attempt).toMatchObject({ ...of, msg: 'attempt', row_index: 3, attempt: 2, error: 'timeout', ms: 500 })
  expect(attempt).toMatchObject({ model: 'openai/gpt-5-mini', input_tokens: 100, output_tokens: 10, again: true })
  expect(row).toMatchObject({ ...of, msg: 'row', row_index: 3, state: 'failed', error: 'timeout', attempts: 1 })
  expect(other).toMatchObject({ ...of, msg: 'row', row_index: 0, state: 'succeeded', error: null })
  expect(more).toEqual([])
})
