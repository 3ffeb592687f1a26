import { describe, expect, it } from 'vitest'
import { deadlineAt, viewDeadline } from '../../src/domain/deadline.ts'

const AT = 1_700_000_000_000
const MINUTE = 60_000

describe('a deadline', () => {
  it('is counted from the start of the round, and a trial has none', () => {
    expect(deadlineAt(MINUTE, AT, false)).toBe(AT + MINUTE)
    expect(deadlineAt(undefined, AT, false)).toBeNull()
    expect(deadlineAt(MINUTE, AT, true)).toBeNull()
  })

  it.each([
    ['running', null, AT - MINUTE, 'ahead', MINUTE],
    ['paused', null, AT, 'ahead', 0],
    ['running', null, AT + MINUTE, 'passed', -MINUTE],
    ['completed', AT - MINUTE, AT + 9 * MINUTE, 'met', MINUTE],
    ['failed', AT, AT + 9 * MINUTE, 'met', 0],
    ['completed', AT + MINUTE, AT + 9 * MINUTE, 'missed', -MINUTE],
    ['cancelled', AT - MINUTE, AT + 9 * MINUTE, 'void', MINUTE],
    ['cancelled', AT + MINUTE, AT + 9 * MINUTE, 'missed', -MINUTE],
  ] as const)('of a job that is %s, ended at %s, is at %s %s', (state, endedAtMs, nowMs, standing, leftMs) => {
    expect(viewDeadline(AT, { state, endedAtMs }, nowMs)).toEqual({ atMs: AT, standing, leftMs })
  })
})
