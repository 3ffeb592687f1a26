import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keepDeadline, type Standing } from '../../src/lane/keep-deadline.ts'
import { createLivePace } from '../../src/lane/live-pace.ts'
import { backWithin, shareBackWithin, turnaroundRange } from '../../src/lane/turnaround.ts'

const MINUTE = 60_000

/** A thousand rows, 100 ms each, ten minutes to call a batch back: due in `leftMs`. */
function standing(leftMs: number, more: Partial<Standing> = {}): Standing {
  return {
    nowMs: 0,
    deadlineAtMs: leftMs,
    way: 'batch',
    rows: 1_000,
    left: 1_000,
    packed: 0,
    out: [],
    leaving: 0,
    liveMsPerRow: 100,
    recallMs: 10 * MINUTE,
    ...more,
  }
}

const batch = (id: string, requests: number, sentAtMs: number, called = false) => ({ id, requests, sentAtMs, called })

describe('keeping a deadline', () => {
  it('waits as long as all that is left could still be called back and asked live', () => {
    const out = [batch('a', 1_000, 0)]
    expect(keepDeadline(standing(20 * MINUTE, { out }))).toBeNull()
    expect(keepDeadline(standing(11 * MINUTE, { out }))).toStrictEqual({ goLive: true, takeBack: 0, callBack: ['a'] })
  })

  it('needs no time for calling back where nothing is out', () => {
    expect(keepDeadline(standing(3 * MINUTE, { way: 'flex' }))).toBeNull()
    expect(keepDeadline(standing(100_000, { way: 'flex' }))).toStrictEqual({ goLive: true, takeBack: 0, callBack: [] })
  })

  it('takes first what waits, then the youngest batches, and no more than live requests get through until the next are back', () => {
    const out = [batch('old', 3_000, 0), batch('young', 3_000, 5), batch('middle', 3_000, 3)]
    const late = standing(25 * MINUTE, { left: 14_000, packed: 5_000, out })
    expect(keepDeadline(late)).toStrictEqual({ goLive: true, takeBack: 5_000, callBack: ['young'] })
    const busy = { ...late, way: 'live' as const, packed: 0, left: 9_000 + 6_100 }
    expect(keepDeadline(busy)).toBeNull()
    const called = out.map((each) => ({ ...each, called: each.id === 'young' }))
    expect(keepDeadline({ ...busy, left: 11_000, out: called })).toStrictEqual({
      goLive: false,
      takeBack: 0,
      callBack: ['middle'],
    })
  })

  it('goes on in the same way when the deadline has passed, as long as anything is left', () => {
    const out = [batch('a', 500, 0)]
    const all = { goLive: true, takeBack: 500, callBack: ['a'] }
    expect(keepDeadline(standing(-MINUTE, { packed: 500, out }))).toStrictEqual(all)
    expect(keepDeadline(standing(-MINUTE, { left: 0 }))).toBeNull()
  })

  it('never takes back more than waits, nor calls a batch back twice', () => {
    const out = fc.array(
      fc.record({
        requests: fc.integer({ min: 1, max: 50_000 }),
        sentAtMs: fc.nat(),
        called: fc.boolean(),
      }),
      { maxLength: 20 },
    )
    const any = fc.record({
      leftMs: fc.integer({ min: -MINUTE, max: 100 * MINUTE }),
      packed: fc.nat(100_000),
      live: fc.nat(100_000),
      out,
      liveMsPerRow: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
      recallMs: fc.integer({ min: 1, max: 30 * MINUTE }),
    })
    fc.assert(
      fc.property(any, ({ leftMs, live, ...more }) => {
        const named = more.out.map((each, at) => ({ ...each, id: `b${at}` }))
        const left = live + more.packed + named.reduce((sum, { requests }) => sum + requests, 0)
        const haste = keepDeadline(standing(leftMs, { ...more, out: named, left }))
        if (haste === null) return
        expect(haste.takeBack).toBeGreaterThanOrEqual(0)
        expect(haste.takeBack).toBeLessThanOrEqual(more.packed)
        expect(new Set(haste.callBack).size).toBe(haste.callBack.length)
        for (const id of haste.callBack) expect(named.find((each) => each.id === id)?.called).toBe(false)
      }),
    )
  })
})

describe('what batches of an account take', () => {
  it('is believed to be anything between ten minutes and a day, until some have been seen', () => {
    expect(backWithin(5 * MINUTE, [])).toBe(0)
    expect(backWithin(24 * 60 * MINUTE, [])).toBe(1)
    expect(backWithin(2 * 60 * MINUTE, [])).toBeCloseTo(0.5, 1)
    expect(backWithin(30 * MINUTE, Array(18).fill(20 * MINUTE))).toBeGreaterThan(0.9)
    expect(backWithin(30 * MINUTE, Array(18).fill(40 * MINUTE))).toBeLessThan(0.05)
  })

  it('is less for later waves', () => {
    const past = Array(18).fill(60 * MINUTE)
    expect(shareBackWithin(61 * MINUTE, past, 1)).toBeGreaterThan(0.9)
    expect(shareBackWithin(61 * MINUTE, past, 4)).toBeLessThan(0.3)
  })

  it('is told from three on', () => {
    expect(turnaroundRange([1, 2])).toBeNull()
    expect(turnaroundRange([30, 10, 20])).toStrictEqual({ low: 10, expected: 20, high: 30 })
    expect(turnaroundRange([30, 10, 20], 2)).toStrictEqual({ low: 20, expected: 40, high: 60 })
  })
})

describe('the pace of live requests', () => {
  it('is what they achieve while they are kept busy, with some caution', () => {
    const pace = createLivePace()
    const note = (seconds: number, ended: number, waiting = 100) => pace.note({ atMs: seconds * 1_000, ended, waiting })
    note(0, 0)
    note(10, 500)
    expect(pace.msPerRow()).toBeNull()
    note(30, 1_500)
    expect(pace.msPerRow()).toBeCloseTo(20 * 1.15)
    note(40, 1_500, 0)
    expect(pace.msPerRow()).toBeNull()
  })

  it('forgets what was long ago', () => {
    const pace = createLivePace()
    for (let minute = 0; minute <= 10; minute += 1)
      pace.note({ atMs: minute * MINUTE, ended: minute <= 5 ? minute : 5 + (minute - 5) * 600, waiting: 1 })
    expect(pace.msPerRow()).toBeCloseTo(100 * 1.15)
  })
})
