import { describe, expect, it } from 'vitest'
import { admitted, type Found, grown, nothingFound, refused } from '../../src/limit/found-limit.ts'

const times = (count: number, found: Found, step: (state: Found) => Found): Found => {
  let state = found
  for (let n = 0; n < count; n += 1) state = step(state)
  return state
}

/** Refused by a bucket that held a minute's worth of 600 at first, after ten seconds. */
const afterTheFirst = () => times(10, times(700, nothingFound(0), admitted), (state) => refused(state, 9_000, 10_000))

describe('the limit of a provider that does not tell it', () => {
  it('is none while single requests are refused among others', () => {
    let state = nothingFound(0)
    for (let n = 0; n < 100; n += 1) state = refused(refused(times(20, state, admitted), n, n), n, n)
    expect(state.limit).toBeNull()
  })

  it('is none where a fifth is refused however fast it is asked, though now and then several in a row', () => {
    let state = nothingFound(0)
    for (let n = 0; n < 500; n += 1) {
      const letIn = times(4, state, admitted)
      state = times(n % 40 === 39 ? 5 : 1, letIn, (one) => refused(one, n, n))
    }
    expect(state.limit).toBeNull()
    expect(times(8, state, (one) => refused(one, 500, 500)).limit).not.toBeNull()
  })

  it('is none where nothing was let in at all: that is an outage', () => {
    expect(times(50, nothingFound(0), (state) => refused(state, 1, 2)).limit).toBeNull()
  })

  it('is at least a minute’s worth less than was let in, once a run of requests is refused', () => {
    const state = times(3, times(700, nothingFound(0), admitted), (one) => refused(one, 9_000, 10_000))
    expect(state).toMatchObject({ searching: true })
    expect(state.limit).toBeGreaterThanOrEqual(600)
  })

  it('is searched by doubling in four seconds, but only while it is what holds', () => {
    const state = afterTheFirst()
    expect(grown(state, true, 14_000).limit).toBeCloseTo(2 * (state.limit as number))
    expect(grown(state, false, 14_000).limit).toBe(state.limit)
  })

  it('is measured between two refusals that lie apart, and kept to but for a little', () => {
    const state = refused(times(300, afterTheFirst(), admitted), 39_000, 40_000)
    expect(state).toMatchObject({ searching: false, limit: 594 })
    const later = grown(state, true, 100_000).limit as number
    expect(later).toBeGreaterThan(600)
    expect(later).toBeLessThan(660)
  })

  it('is cut once for a burst of refusals', () => {
    const once = refused(times(100, afterTheFirst(), admitted), 11_000, 12_000)
    expect(refused(once, 11_500, 12_100).limit).toBe(once.limit)
    expect(refused(once, 13_000, 13_100).limit).toBeLessThan(once.limit as number)
  })

  it('is not measured by an outage', () => {
    const found = refused(times(300, afterTheFirst(), admitted), 39_000, 40_000)
    const state = refused(times(2, found, admitted), 60_000, 70_000)
    expect(state).toMatchObject({ searching: true })
    expect(state.limit).toBeGreaterThan(400)
  })
})
