import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PAUSES_MS, pauseMs } from '../../src/notify/schedule.ts'

it('goes from seconds to a day, and then ends: ten attempts over three days and a little', () => {
  const pauses = PAUSES_MS.map((_, n) => pauseMs(n + 1, 0))
  expect(pauses.slice(0, 3)).toEqual([5_000, 300_000, 1_800_000])
  expect(pauses).toEqual([...PAUSES_MS].sort((a, b) => a - b))
  expect(pauseMs(PAUSES_MS.length + 1, 0)).toBeNull()
  const days = PAUSES_MS.reduce((sum, each) => sum + each, 0) / 86_400_000
  expect(days).toBeGreaterThan(3)
  expect(days).toBeLessThan(3.5)
})

it('spreads attempts out, by a tenth at most', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: PAUSES_MS.length }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, random) => {
        const base = PAUSES_MS[attempts - 1] as number
        const pause = pauseMs(attempts, random) as number
        expect(pause).toBeGreaterThanOrEqual(base)
        expect(pause).toBeLessThanOrEqual(base * 1.1)
      },
    ),
  )
})

it('waits longer where a receiver asks for it, a day at the most, and never less', () => {
  expect(pauseMs(1, 0, 60_000)).toBe(60_000)
  expect(pauseMs(2, 0, 60_000)).toBe(300_000)
  expect(pauseMs(1, 0, 90 * 86_400_000)).toBe(86_400_000)
  expect(pauseMs(PAUSES_MS.length + 1, 0, 60_000)).toBeNull()
})
