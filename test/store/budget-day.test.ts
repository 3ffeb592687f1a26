import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dayOf, monthOf } from '../../src/store/budget-day.ts'

const textOf = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)

describe('the days of a month', () => {
  it('are those of the UTC month that a day is in', () => {
    const leap = dayOf(Date.UTC(2028, 1, 29, 23, 59, 59, 999))
    expect(monthOf(leap).map(textOf)).toEqual(['2028-02-01', '2028-02-29'])
    expect(monthOf(dayOf(Date.UTC(2026, 11, 31))).map(textOf)).toEqual(['2026-12-01', '2026-12-31'])
    expect(monthOf(dayOf(Date.UTC(2027, 0, 1))).map(textOf)).toEqual(['2027-01-01', '2027-01-31'])
  })

  it('hold the day, and follow one on another without a gap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000 }), (day) => {
        const [first, last] = monthOf(day)
        expect(first <= day && day <= last).toBe(true)
        expect(monthOf(last + 1)[0]).toBe(last + 1)
        expect(monthOf(first - 1)[1]).toBe(first - 1)
      }),
    )
  })
})
