import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Bucket,
  burstOf,
  drawn,
  fullBucket,
  rateOf,
  refilled,
  speedOf,
  waitOf,
  withLevel,
  withLimit,
} from '../../src/limit/bucket.ts'
import { MINUTE_MS } from '../../src/limit/demand.ts'

const limits = fc.integer({ min: 1, max: 1_000_000 })
/** Requests that come one after the other: how long after the last, and how large. */
const arrivals = fc.array(
  fc.record({ afterMs: fc.integer({ min: 0, max: 5_000 }), share: fc.double({ min: 0.001, max: 0.3, noNaN: true }) }),
  {
    minLength: 1,
    maxLength: 200,
  },
)

describe('a bucket', () => {
  it('never lets more through in any stretch than flows in, beside one burst', () => {
    fc.assert(
      fc.property(limits, arrivals, (limit, list) => {
        let bucket = fullBucket('tokens', MINUTE_MS, limit, 0)
        const sent: { readonly atMs: number; readonly amount: number }[] = []
        let now = 0
        for (const { afterMs, share } of list) {
          now += afterMs
          const amount = share * limit
          bucket = refilled(bucket, now)
          now += waitOf(bucket, amount)
          bucket = drawn(refilled(bucket, now), amount)
          sent.push({ atMs: now, amount })
        }
        const largest = Math.max(...sent.map(({ amount }) => amount))
        for (let from = 0; from < sent.length; from += 1) {
          let sum = 0
          for (let to = from; to < sent.length; to += 1) {
            const [first, last] = [sent[from], sent[to]] as [(typeof sent)[0], (typeof sent)[0]]
            sum += last.amount
            const flow = rateOf(bucket) * (last.atMs - first.atMs)
            expect(sum).toBeLessThanOrEqual((flow + Math.max(burstOf(bucket), largest)) * (1 + 1e-9) + largest)
          }
        }
      }),
    )
  })

  it('tells a wait after which the request goes, whatever its size, and which ends', () => {
    fc.assert(
      fc.property(
        limits,
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.double({ min: -1, max: 1, noNaN: true }),
        (limit, share, level) => {
          const full = fullBucket('tokens', MINUTE_MS, limit, 0)
          const bucket: Bucket = { ...full, level: level * limit, paced: Math.min(full.paced, level * limit) }
          const wait = waitOf(bucket, share * limit)
          expect(wait).toBeLessThan(20 * MINUTE_MS)
          // Slower than full speed at first, the wait may be over sooner than it was told, never later.
          expect(waitOf(refilled(bucket, wait + 1e-3), share * limit)).toBe(0)
        },
      ),
    )
  })

  it('holds what is given back, and never more than it can', () => {
    const bucket = drawn(fullBucket('requests', MINUTE_MS, 600, 0), 5)
    expect(drawn(bucket, -5)).toEqual(fullBucket('requests', MINUTE_MS, 600, 0))
    expect(drawn(bucket, -500)).toMatchObject({ paced: 10, level: 600 })
  })

  it('is slow where the provider has little left, and a little fast where it says that it has much', () => {
    const bucket = fullBucket('requests', MINUTE_MS, 600, 0)
    expect(speedOf(bucket, 0)).toBe(1)
    expect(speedOf(withLevel(bucket, 600, true), 0)).toBeCloseTo(1.03)
    expect(speedOf(withLevel(bucket, 600, true), 60_000)).toBe(1)
    expect(speedOf(withLevel(bucket, 3, true), 0)).toBeLessThan(0.5)
    expect(speedOf(withLevel(bucket, -50, true), 0)).toBe(0.25)
  })

  it('lets the largest go when it is full, and one request even where a second brings less', () => {
    const small = fullBucket('requests', MINUTE_MS, 6, 0)
    expect(waitOf(small, 1)).toBe(0)
    expect(waitOf(drawn(small, 1), 1)).toBe(10_000)
    expect(waitOf(fullBucket('tokens', MINUTE_MS, 100, 0), 5_000)).toBe(0)
  })

  it('keeps what is left when its limit changes, as far as that holds it', () => {
    const half = drawn(fullBucket('tokens', MINUTE_MS, 60_000, 0), 30_000)
    expect(withLimit(half, 120_000)).toMatchObject({ limit: 120_000, level: 30_000 })
    expect(withLimit(half, 6_000)).toMatchObject({ limit: 6_000, level: 6_000 })
  })
})
