import { describe, expect, it } from 'vitest'
import type { ExecutionSpec } from '../../src/domain/spec.ts'
import { planNotes } from '../../src/plan/plan-notes.ts'
import { aPlan } from '../delivery/a-plan.ts'
import { spec } from '../row/fixture.ts'

const notes = (execution: Partial<ExecutionSpec>, more: Parameters<typeof aPlan>[0] = {}) => {
  const base = spec()
  return planNotes({ ...base, execution: { ...base.execution, ...execution } }, aPlan(more))
}

describe('the notes of a plan', () => {
  it('say of live what a batch would cost, and of auto nothing that its ways say', () => {
    expect(notes({ lane: 'live' })).toContainEqual(expect.stringContaining('As a batch it would cost about half'))
    expect(notes({ lane: 'auto', deadlineMs: 1 }).join()).not.toMatch(/batch|deadline/)
  })

  it('say of batches whether there is anything to go by', () => {
    expect(notes({ lane: 'batch' }, { time: null })).toEqual([expect.stringContaining('a day at the most')])
    expect(notes({ lane: 'batch' })).toEqual([expect.stringContaining('the time is that of one batch')])
  })

  it.each([
    [341_000, []],
    [300_000, ['It may miss execution.deadline: the lane batch does nothing about that, auto would.']],
    [200_000, ['It takes longer than execution.deadline: the lane batch does nothing about that, auto would.']],
  ])('say that a deadline of %s ms may be missed, or will', (deadlineMs, expected) => {
    const found = notes({ lane: 'batch', deadlineMs }).filter((note) => note.includes('deadline'))
    expect(found).toEqual(expected)
  })
})
