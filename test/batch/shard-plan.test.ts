import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseParts, closesNow, MOST_PARTS, MOST_REQUESTS, mayClose, shardBounds } from '../../src/batch/shard-plan.ts'
import type { BatchPart } from '../../src/domain/batch.ts'
import { KIND } from './depot.ts'

const partOf = ({ requests, bytes, tokens }: { requests: number; bytes: number; tokens: number }, n: number) =>
  ({
    id: String(n),
    rows: Array.from({ length: requests }, (_, row) => row),
    bytes,
    inputTokens: tokens,
  }) as unknown as BatchPart

const sizes = fc.record({
  requests: fc.integer({ min: 1, max: 50 }),
  bytes: fc.integer({ min: 1, max: 5_000 }),
  tokens: fc.integer({ min: 1, max: 5_000 }),
})
const arbitraryParts = fc.array(sizes, { maxLength: 60 }).map((all) => all.map(partOf))
const arbitraryBounds = fc.record({
  requests: fc.integer({ min: 1, max: 200 }),
  bytes: fc.integer({ min: 1, max: 20_000 }),
  lineBytes: fc.integer({ min: 0, max: 100 }),
  tokens: fc.integer({ min: -1_000, max: 20_000 }),
  queueEmpty: fc.boolean(),
})

describe('chooseParts', () => {
  it('takes the first ones, as many as fit, and says whether one did not', () => {
    fc.assert(
      fc.property(arbitraryParts, arbitraryBounds, (waiting, bounds) => {
        const { parts, full } = chooseParts(waiting, bounds)
        expect(parts).toEqual(waiting.slice(0, parts.length))
        expect(full).toBe(parts.length < waiting.length)
        const sum = (of: (part: BatchPart) => number) => parts.reduce((total, part) => total + of(part), 0)
        if (parts.length > 1) {
          expect(sum(({ rows }) => rows.length)).toBeLessThanOrEqual(bounds.requests)
          expect(sum(({ rows, bytes }) => bytes + rows.length * bounds.lineBytes)).toBeLessThanOrEqual(bounds.bytes)
        }
        if (parts.length > 1 || !bounds.queueEmpty) {
          expect(sum(({ inputTokens }) => inputTokens)).toBeLessThanOrEqual(Math.max(0, bounds.tokens))
        }
      }),
    )
  })

  it('always gets on: where the queue is empty, whatever waits is sent in the end', () => {
    fc.assert(
      fc.property(arbitraryParts, arbitraryBounds, (waiting, bounds) => {
        let left = waiting
        for (let shards = 0; left.length > 0; shards++) {
          expect(shards).toBeLessThanOrEqual(waiting.length)
          left = left.slice(chooseParts(left, { ...bounds, queueEmpty: true }).parts.length)
        }
      }),
    )
  })

  it('takes no more parts than one transaction bears', () => {
    const waiting = Array.from({ length: MOST_PARTS + 5 }, (_, n) => partOf({ requests: 1, bytes: 1, tokens: 1 }, n))
    const room = { tokens: Number.POSITIVE_INFINITY, queueEmpty: true }
    const bounds = shardBounds({ requests: 1_000_000, bytes: 1e12 }, 0, room)
    expect(bounds.requests).toBe(MOST_REQUESTS)
    expect(chooseParts(waiting, bounds)).toMatchObject({ full: true, parts: { length: MOST_PARTS } })
  })
})

describe('closesNow', () => {
  const waiting = { moreToCome: true, oldestPackedMs: 1_000 }
  const parts = [partOf({ requests: 1, bytes: 1, tokens: 1 }, 0)]

  it.each([
    { why: 'it is full', chosen: { parts, full: true }, waiting, nowMs: 1_000, closes: true },
    {
      why: 'nothing more will come',
      chosen: { parts, full: false },
      waiting: { ...waiting, moreToCome: false },
      nowMs: 1_000,
      closes: true,
    },
    { why: 'the oldest has waited', chosen: { parts, full: false }, waiting, nowMs: 61_000, closes: true },
    { why: 'not yet: more may come', chosen: { parts, full: false }, waiting, nowMs: 60_999, closes: false },
    { why: 'never without a part', chosen: { parts: [], full: true }, waiting, nowMs: 999_999, closes: false },
  ])('$why', ({ chosen, waiting: kind, nowMs, closes }) => {
    expect(closesNow(chosen, kind, nowMs, 60_000)).toBe(closes)
  })

  it('is never true where mayClose is not: nothing is missed by not looking', () => {
    const arbitraryKind = fc.record({ moreToCome: fc.boolean(), oldestPackedMs: fc.integer({ min: 0, max: 100_000 }) })
    fc.assert(
      fc.property(arbitraryParts, arbitraryBounds, arbitraryKind, (all, bounds, kind) => {
        fc.pre(all.length > 0)
        const sum = (of: (part: BatchPart) => number) => all.reduce((total, part) => total + of(part), 0)
        const totals = {
          ...kind,
          tenantNo: 1,
          kind: KIND,
          parts: all.length,
          requests: sum(({ rows }) => rows.length),
          bytes: sum(({ bytes }) => bytes),
          inputTokens: sum(({ inputTokens }) => inputTokens),
        }
        if (closesNow(chooseParts(all, bounds), kind, 90_000, 60_000)) {
          expect(mayClose(totals, bounds, 90_000, 60_000)).toBe(true)
        }
      }),
    )
  })
})
