import { describe, expect, it } from 'vitest'
import { cheapestInTime, HOUR, MINUTE, runDay, type World } from './auto-world.ts'

/** Jobs of `lane: auto`, and days on which they run. */
const SCENARIOS: Readonly<Record<string, World>> = {
  'ten thousand rows, due in five minutes': {
    rows: 10_000,
    deadlineMs: 5 * MINUTE,
    livePerMinute: 4_000,
    batchMs: [20 * MINUTE],
  },
  'ten thousand rows, due in twenty minutes: no batch could be called back in time': {
    rows: 10_000,
    deadlineMs: 20 * MINUTE,
    livePerMinute: 4_000,
    batchMs: [40 * MINUTE],
  },
  'ten thousand rows, due in an hour, on an account whose batches take ten minutes': {
    rows: 10_000,
    deadlineMs: HOUR,
    livePerMinute: 4_000,
    past: [9, 10, 11, 10, 12, 14].map((minutes) => minutes * MINUTE),
    batchMs: [11 * MINUTE],
  },
  'ten thousand rows, due in two hours, on an account that never sent a batch': {
    rows: 10_000,
    deadlineMs: 2 * HOUR,
    livePerMinute: 4_000,
    batchMs: [50 * MINUTE],
  },
  'a hundred thousand rows, due in a day': {
    rows: 100_000,
    deadlineMs: 24 * HOUR,
    livePerMinute: 2_000,
    batchMs: [3 * HOUR, 5 * HOUR],
  },
  'a million rows, due in twelve hours, batches as ever': {
    rows: 1_000_000,
    deadlineMs: 12 * HOUR,
    livePerMinute: 3_500,
    past: [1, 2, 2, 3, 2, 4, 1].map((hours) => hours * HOUR),
    batchMs: [2 * HOUR, 3 * HOUR],
  },
  'a million rows, due in twelve hours, and a day on which no batch comes back': {
    rows: 1_000_000,
    deadlineMs: 12 * HOUR,
    livePerMinute: 3_500,
    past: [1, 2, 2, 3, 2, 4, 1].map((hours) => hours * HOUR),
    batchMs: [30 * HOUR],
  },
  'half a million rows, due in eight hours, and every second batch is late': {
    rows: 500_000,
    deadlineMs: 8 * HOUR,
    livePerMinute: 3_500,
    past: [1, 2, 2, 3, 2, 4, 1].map((hours) => hours * HOUR),
    batchMs: [2, 20, 2, 20, 2, 20, 2, 20, 2, 20].map((hours) => hours * HOUR),
  },
  'nine tenths of the prompt are in the cache, and live is cheaper than half': {
    rows: 50_000,
    deadlineMs: 24 * HOUR,
    livePerMinute: 2_000,
    liveNano: 38,
    batchNano: 50,
    batchMs: [2 * HOUR],
  },
  'three tenths of the prompt are in the cache, and a batch is still cheaper': {
    rows: 50_000,
    deadlineMs: 24 * HOUR,
    livePerMinute: 2_000,
    liveNano: 78,
    batchNano: 50,
    batchMs: [2 * HOUR],
  },
  'all the time in the world': { rows: 200_000, deadlineMs: null, livePerMinute: 10_000, batchMs: [22 * HOUR] },
  "an account's queue that holds a twentieth, due before all waves are through": {
    rows: 400_000,
    deadlineMs: 12 * HOUR,
    livePerMinute: 1_000,
    queueRows: 20_000,
    batchRows: 20_000,
    past: [1, 1, 1, 1, 1, 1].map((hours) => hours * HOUR),
    batchMs: [HOUR],
  },
  'limits that live alone would need two days for, due tomorrow': {
    rows: 1_000_000,
    deadlineMs: 24 * HOUR,
    livePerMinute: 350,
    past: [3, 4, 5, 4, 6].map((hours) => hours * HOUR),
    batchMs: [5 * HOUR, 6 * HOUR, 7 * HOUR],
  },
  'flex, and batches that take half a day': {
    rows: 50_000,
    deadlineMs: 3 * HOUR,
    livePerMinute: 3_000,
    flexPerMinute: 800,
    past: [10, 12, 11, 13, 9].map((hours) => hours * HOUR),
    batchMs: [11 * HOUR],
  },
  'flex that turns out to crawl': {
    rows: 50_000,
    deadlineMs: 2 * HOUR,
    livePerMinute: 3_000,
    flexPerMinute: 60,
    past: [10, 12, 11, 13, 9].map((hours) => hours * HOUR),
    batchMs: [11 * HOUR],
  },
}

/** By how much a job may be dearer than by somebody who knows what will come. */
const TOLERANCE = 1.02

describe('lane: auto', () => {
  it.each(Object.entries(SCENARIOS))('%s: in time', (_name, world) => {
    expect(runDay(world).inTime).toBe(true)
  })

  it('costs no more than the cheapest way that is in time, but where live alone could not help if the batches were late', () => {
    const dearer = Object.entries(SCENARIOS).filter(([_name, world]) => {
      const least = cheapestInTime(world)
      return least !== null && runDay(world).costNano > least * TOLERANCE
    })
    const [only, ...others] = dearer.map(([name]) => name)
    expect(others).toEqual([])
    expect(only).toMatch(/^limits that live alone would need two days for/)
    const world = SCENARIOS[only as string] as World
    expect(runDay(world).costNano).toBeLessThan((cheapestInTime(world) as number) * 1.16)
  })

  it('mixes where that is cheaper than any one way', () => {
    for (const name of Object.keys(SCENARIOS).filter((each) => /every second|twentieth/.test(each))) {
      const world = SCENARIOS[name] as World
      expect(runDay(world).costNano).toBeLessThan((cheapestInTime(world) as number) * 0.85)
    }
  })

  it('what no way can keep is begun by batch, and live requests help from the start', () => {
    const world: World = { rows: 1_000_000, deadlineMs: HOUR, livePerMinute: 1_000, batchMs: [5 * HOUR] }
    const { choice, inTime } = runDay(world)
    expect(choice).toMatchObject({ way: 'batch', why: expect.stringMatching(/^live alone would be too late/) })
    expect(inTime).toBe(false)
  })
})
