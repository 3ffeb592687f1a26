import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAUSE_RULES, CAUSES, isCause } from '../../src/domain/failure.ts'
import { addCounters, isTerminal, JOB_STATES, mayBecome, NO_COUNTS } from '../../src/domain/job.ts'

describe('the states of a job', () => {
  it('leave a terminal state only by a retry', () => {
    for (const from of JOB_STATES.filter(isTerminal)) {
      expect(JOB_STATES.filter((to) => mayBecome(from, to))).toEqual(['queued'])
    }
  })

  it('can be reached from the first one, every one of them', () => {
    const reached = new Set<string>(['created'])
    for (let more = true; more; ) {
      more = false
      for (const from of JOB_STATES.filter((state) => reached.has(state))) {
        for (const to of JOB_STATES.filter((state) => mayBecome(from, state) && !reached.has(state))) {
          reached.add(to)
          more = true
        }
      }
    }
    expect([...reached].sort()).toEqual([...JOB_STATES].sort())
  })

  it('never skip the finalizer on the way to completed', () => {
    for (const from of JOB_STATES) if (from !== 'finalizing') expect(mayBecome(from, 'completed')).toBe(false)
  })
})

describe('counters', () => {
  it('add field by field, in any order', () => {
    const counts = fc.record(Object.fromEntries(Object.keys(NO_COUNTS).map((key) => [key, fc.nat(1_000_000)])))
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const [left, right] = [a as unknown as typeof NO_COUNTS, b as unknown as typeof NO_COUNTS]
        expect(addCounters(left, right)).toEqual(addCounters(right, left))
        expect(addCounters(left, NO_COUNTS)).toEqual(left)
      }),
    )
  })
})

describe('the table of causes', () => {
  it('says for each cause what it means and what can be done', () => {
    for (const cause of CAUSES) {
      expect(CAUSE_RULES[cause].meaning.length).toBeGreaterThan(10)
      expect(CAUSE_RULES[cause].advice.length).toBeGreaterThan(10)
    }
    expect(Object.keys(CAUSE_RULES)).toEqual([...CAUSES])
    expect(isCause('rate_limited')).toBe(true)
    expect(isCause('melted')).toBe(false)
  })

  it('uses nothing up for push-backs, and stops the job for keys and credit', () => {
    for (const cause of ['rate_limited', 'overloaded', 'batch_expired'] as const)
      expect(CAUSE_RULES[cause].retry).toBe('free')
    for (const cause of ['credentials', 'quota_exhausted'] as const) expect(CAUSE_RULES[cause].retry).toBe('pause')
  })
})
