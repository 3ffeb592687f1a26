import { expect, it } from 'vitest'
import { assertRowsKept } from '../../src/engine/kept-rows.ts'
import { aJob } from '../cli/fake-engine.ts'

it('tells rows that were cleaned up from rows that never were', () => {
  const job = aJob()
  expect(() => assertRowsKept(job)).not.toThrow()
  const droppedAtMs = Date.UTC(2026, 10, 22)
  expect(() => assertRowsKept({ ...job, droppedAtMs })).toThrow(
    expect.objectContaining({ code: 'job_state', message: expect.stringContaining('cleaned up on 2026-11-22') }),
  )
})
