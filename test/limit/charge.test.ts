import { describe, expect, it } from 'vitest'
import { type Charge, learned, restarted, UNLEARNED } from '../../src/limit/charge.ts'

const LIMIT = 60_000
const RATE = LIMIT / 60_000

/** Words of a provider that takes `factor` of its tokens for each that was counted, heard each half a second from `level` on. */
function heard(factor: number, perSecond: number, level: number, seconds: number, from: Charge = UNLEARNED): Charge {
  let [charge, remaining, counted] = [from, level, 0]
  for (let sentAtMs = 0; sentAtMs <= seconds * 1_000; sentAtMs += 500) {
    charge = learned(charge, { sentAtMs, remaining: Math.floor(remaining), counted }, LIMIT, RATE)
    counted += perSecond / 2
    remaining = Math.min(LIMIT, remaining + 500 * RATE) - (factor * perSecond) / 2
  }
  return charge
}

describe('what a counted token takes of the provider’s bucket', () => {
  it.each([0.4, 1, 2.5])('is learned from what is left: %d', (factor) => {
    expect(heard(factor, 1_000, 40_000, 15).factor).toBeCloseTo(factor, 1)
  })

  it('is taken for less while the bucket stays full although as much was counted as it takes in', () => {
    expect(heard(0.5, 1_000, LIMIT, 20).factor).toBeLessThan(0.9)
  })

  it('is not taken for less while little was sent', () => {
    expect(heard(0.5, 100, LIMIT, 20).factor).toBe(1)
  })

  it('is kept when the limit changes, but not measured across the change', () => {
    const charge = heard(2, 1_000, 40_000, 10)
    expect(restarted(charge)).toMatchObject({ factor: charge.factor, anchor: null })
  })
})
