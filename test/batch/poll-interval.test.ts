import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LOOK_TIMES, waitBeforeLook } from '../../src/batch/poll-interval.ts'

const age = fc.integer({ min: 0, max: 7 * 86_400_000 })
const times = fc
  .record({ firstMs: fc.integer({ min: 1, max: 10_000 }), more: fc.integer({ min: 0, max: 600_000 }) })
  .map(({ firstMs, more }) => ({ firstMs, mostMs: firstMs + more }))

it('stays between its bounds, but for a tenth', () => {
  fc.assert(
    fc.property(age, times, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (ageMs, look, draw) => {
      const waitMs = waitBeforeLook(ageMs, look, draw)
      expect(waitMs).toBeGreaterThanOrEqual(Math.floor(look.firstMs * 0.9))
      expect(waitMs).toBeLessThanOrEqual(Math.ceil(look.mostMs * 1.1))
    }),
  )
})

it('grows with age', () => {
  fc.assert(
    fc.property(age, age, times, (a, b, look) => {
      const [younger, older] = [Math.min(a, b), Math.max(a, b)]
      expect(waitBeforeLook(younger, look, 0.5)).toBeLessThanOrEqual(waitBeforeLook(older, look, 0.5))
    }),
  )
})

it('looks at a batch of a day some three hundred times', () => {
  let looks = 0
  for (let ageMs = 0; ageMs < 86_400_000; ageMs += waitBeforeLook(ageMs, LOOK_TIMES, 0.5)) looks += 1
  expect(looks).toBeGreaterThan(250)
  expect(looks).toBeLessThan(400)
})
