import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LOOK_TIMES } from '../../src/batch/poll-interval.ts'
import { afterAcceptance, afterRefusal, afterResults, OPEN_QUEUE, roomLeft } from '../../src/batch/queue-room.ts'

const refusal = (more: Partial<Parameters<typeof afterRefusal>[1]>) => ({
  outTokens: 0,
  tokens: 1_000,
  message: 'the queue is full',
  nowMs: 0,
  draw: 0.5,
  ...more,
})

it('takes the limit that the provider names', () => {
  const message =
    'Enqueued token limit reached for gpt-x in organization org-x. Limit: 90,000 enqueued tokens. Please try again once some in_progress batches have been completed.'
  expect(afterRefusal(OPEN_QUEUE, refusal({ tokens: 100_000, message }), LOOK_TIMES).limitTokens).toBe(90_000)
  // By our count it should have fitted: then the provider counts otherwise.
  expect(afterRefusal(OPEN_QUEUE, refusal({ tokens: 80_000, message }), LOOK_TIMES).limitTokens).toBe(40_000)
})

it('keeps to a limit that was named, and feels for more where none was', () => {
  const message = 'Limit: 90,000 enqueued tokens.'
  const named = afterRefusal(OPEN_QUEUE, refusal({ tokens: 100_000, message }), LOOK_TIMES)
  expect(afterAcceptance(named, 80_000, 40_000).limitTokens).toBe(90_000)
  const found = afterRefusal(OPEN_QUEUE, refusal({ tokens: 100_000 }), LOOK_TIMES)
  expect(afterAcceptance(found, 50_000, 50_000).limitTokens).toBe(62_500)
})

it('counts as the provider does, once results have shown how', () => {
  const message = 'Limit: 90,000 enqueued tokens.'
  const named = afterRefusal(OPEN_QUEUE, refusal({ tokens: 100_000, message }), LOOK_TIMES)
  expect(roomLeft(named, 30_000, null)).toBe(60_000)
  const known = afterResults(named, 0.4)
  expect(known.limitTokens).toBe(90_000)
  expect(known.share).toBeCloseTo(0.42)
  expect(roomLeft(known, 30_000, null)).toBeCloseTo(90_000 / 0.42 - 30_000)
  expect(roomLeft(known, 30_000, 42_000)).toBeCloseTo(70_000)
  // What was found by our own count holds as many rows as before.
  const found = afterRefusal(OPEN_QUEUE, refusal({ tokens: 100_000 }), LOOK_TIMES)
  expect(roomLeft(afterResults(found, 0.4), 0, null)).toBeCloseTo(roomLeft(found, 0, null))
  // 150,000 of ours are 63,000 of theirs.
  const felt = afterRefusal(afterResults(OPEN_QUEUE, 0.4), refusal({ outTokens: 150_000 }), LOOK_TIMES)
  expect(felt.limitTokens).toBeCloseTo(63_000, -1)
  expect(roomLeft(afterResults(OPEN_QUEUE, 1_000_000), 10, null)).toBe(Number.POSITIVE_INFINITY)
  expect(afterResults(OPEN_QUEUE, 1_000_000).share).toBe(5)
})

it('pauses ever longer, until something is taken', () => {
  let room = OPEN_QUEUE
  const pauses: number[] = []
  for (const nowMs of [0, 60_000, 600_000, 6_000_000]) {
    room = afterRefusal(room, refusal({ nowMs }), LOOK_TIMES)
    pauses.push(room.pausedUntilMs - nowMs)
  }
  expect(pauses).toEqual([5_000, 5_000, 50_000, 300_000])
  expect(afterAcceptance(room, 10, 10)).toMatchObject({ refusedSinceMs: null, pausedUntilMs: 0 })
})

/** A queue with a limit that it does not tell, fed by turns with as much as there seems to be room for. */
function feed(hidden: number, part: number, turns: number) {
  let room = OPEN_QUEUE
  const shards: number[] = []
  const out = () => shards.reduce((sum, tokens) => sum + tokens, 0)
  const offer = (tokens: number): boolean => {
    const outTokens = out()
    const taken = outTokens + tokens <= hidden
    if (taken) shards.push(tokens)
    room = taken
      ? afterAcceptance(room, outTokens + tokens, tokens)
      : afterRefusal(room, refusal({ outTokens, tokens }), LOOK_TIMES)
    return taken
  }
  const seen: { readonly out: number; readonly refused: boolean }[] = []
  for (let turn = 0; turn < turns; turn++) {
    const parts = Math.floor((Math.min(room.limitTokens, 4 * hidden) - out()) / part)
    const tokens = Math.max(parts, shards.length === 0 ? 1 : 0) * part
    const refused = tokens > 0 && !offer(tokens)
    seen.push({ out: out(), refused })
    // The oldest is done.
    if (turn % 3 === 2) shards.shift()
  }
  return seen
}

it('finds a hidden limit: what it takes is used, and refusals become rare', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2_000, max: 10_000_000 }), fc.integer({ min: 100, max: 1_000 }), (hidden, part) => {
      const later = feed(hidden, part, 300).slice(100)
      expect(later.filter(({ refused }) => refused).length).toBeLessThan(100)
      expect(later.filter(({ out }) => out < hidden / 4).length).toBeLessThan(100)
    }),
    { numRuns: 50 },
  )
})
