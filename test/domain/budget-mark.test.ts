import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BUDGET_MARKS, type BudgetMark, isNewMark, marksReached } from '../../src/domain/budget-mark.ts'

const NO_LIMITS = { nano: null, tokens: null }

it('a budget has reached the highest of the marks that it has passed', () => {
  const at = (nano: number) => marksReached({ ...NO_LIMITS, nano: 1_000 }, { nano, tokens: 9 }, null)
  expect(at(499)).toEqual([])
  expect(at(500)).toEqual([{ limit: 'usd', of: 1_000, mark: 50, used: 500 }])
  expect(at(799).map(({ mark }) => mark)).toEqual([50])
  expect(at(800).map(({ mark }) => mark)).toEqual([80])
  expect(at(1_200).map(({ mark }) => mark)).toEqual([100])
  expect(marksReached(NO_LIMITS, { nano: 9, tokens: 9 }, 0)).toEqual([])
})

it('a job that found no room for its next request has used up the budget that is nearest to its end', () => {
  const marks = marksReached({ nano: 1_000, tokens: 1_000 }, { nano: 960, tokens: 820 }, 0)
  expect(marks.map(({ limit, mark }) => [limit, mark])).toEqual([
    ['usd', 100],
    ['tokens', 80],
  ])
  // The limit may have been its tenant's.
  expect(marksReached({ nano: 1_000, tokens: null }, { nano: 600, tokens: 0 }, 0.8)).toMatchObject([{ mark: 50 }])
  expect(marksReached({ nano: 1_000, tokens: null }, { nano: 0, tokens: 0 }, 0)).toMatchObject([{ mark: 100, used: 0 }])
})

it('of what a growing use reaches each mark is news once at the most, and the highest is told', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.array(fc.nat(300)), (limit, steps) => {
      const told: BudgetMark[] = []
      let used = 0
      for (const step of steps) {
        used += step
        const marks = marksReached({ nano: null, tokens: limit }, { nano: 0, tokens: used }, null)
        told.push(...marks.filter((mark) => isNewMark(mark, told)))
      }
      const values = told.map(({ mark }) => mark)
      expect(values).toEqual([...new Set(values)].sort((a, b) => a - b))
      expect(values.at(-1)).toBe(BUDGET_MARKS.findLast((mark) => (used / limit) * 100 >= mark))
    }),
  )
})

it('a budget that was raised begins anew', () => {
  const told: BudgetMark = { limit: 'usd', of: 1_000, mark: 80, used: 800 }
  expect(isNewMark({ ...told, mark: 50 }, [told])).toBe(false)
  expect(isNewMark({ ...told, mark: 100 }, [told])).toBe(true)
  expect(isNewMark({ ...told, of: 1_500, mark: 50 }, [told])).toBe(true)
  expect(isNewMark({ ...told, limit: 'tokens' }, [told])).toBe(true)
})
