import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FleetLimits } from '../../src/limit/fleet-limits.ts'
import { createFleetShare } from '../../src/limit/fleet-share.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { describeShare } from '../conformance/share.ts'
import { type FleetSimulation, fleetSimulation, runSlowly, type SimulatedWorker } from './fleet-simulation.ts'
import { memoryFleet } from './memory-fleet.ts'
import type { ProviderModel } from './modelled-provider.ts'
import { ACCOUNT, answeredPerMinute, refusedShare, tokensPerMinute } from './simulation.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

describeShare('a share of a fleet', async () => {
  const clock = virtualClock()
  return kitOver(clock, memoryFleet(clock, 3))
})

describeShare('a share of a fleet, over a store', async () => {
  const clock = virtualClock()
  const dir = await mkdtemp(join(tmpdir(), 'sluice-limits-'))
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime: clock, ballastBytes: 4_096 })
  const kit = kitOver(clock, store.limits)
  return {
    ...kit,
    async close() {
      await kit.close()
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
})

function kitOver(clock: VirtualClock, fleet: FleetLimits) {
  const onFailure = (error: unknown) => {
    throw error
  }
  const share = createFleetShare({ runtime: clock, fleet, by: 'worker', onFailure })
  return { share, pass: (ms: number) => runSlowly(clock, ms), close: async () => share.close() }
}

const WARM_MS = 30_000
const KILL_EACH_MS = 20_000
const END_MS = 190_000
/** As OpenAI takes them: what is asked for at the most, where the prompt is shorter. */
const reserved = (size: { readonly inputTokens: number; readonly maxOutput: number }) =>
  Math.max(size.inputTokens, size.maxOutput)

/** Four workers, of which the oldest is killed over and over, and another comes in its place. */
async function killed(model: ProviderModel, given = {}): Promise<FleetSimulation> {
  const simulation = fleetSimulation(model)
  const workers: SimulatedWorker[] = []
  for (let n = 0; n < 4; n += 1) workers.push(simulation.start({ given }))
  for (let at = 0; at < END_MS; at += KILL_EACH_MS) {
    await simulation.run(Math.min(KILL_EACH_MS, END_MS - at))
    workers.shift()?.kill()
    workers.push(simulation.start({ given }))
  }
  return simulation
}

describe('a fleet of four, of which one dies every twenty seconds, at a limit', () => {
  it.each([
    ['headers', 'headers', {}],
    ['headers that round tokens to thousands', 'thousands', {}],
    ['nothing but what a refusal names', 'quota', {}],
    ['the spec alone', 'nothing', { rpm: 600 }],
  ] as const)('of requests, told by %s', async (_name, telling, given) => {
    const { sent } = await killed({ telling, limits: { rpm: 600 } }, given)
    expect(answeredPerMinute(sent, WARM_MS, END_MS) / 600).toBeGreaterThan(0.98)
    expect(refusedShare(sent, WARM_MS, END_MS)).toBeLessThan(0.005)
  })

  it('of requests, told by nothing at all: used, though in a fleet the refusals do not always end', async () => {
    const { sent } = await killed({ telling: 'nothing', limits: { rpm: 600 } })
    expect(answeredPerMinute(sent, WARM_MS, END_MS) / 600).toBeGreaterThan(0.95)
    expect(refusedShare(sent, WARM_MS, END_MS)).toBeLessThan(0.25)
  })

  it.each([
    ['headers, and counted as asked for at the most', 'headers', reserved],
    ['headers that round to thousands', 'thousands', undefined],
    ['nothing but what a refusal names', 'quota', undefined],
  ] as const)('of tokens, told by %s', async (_name, telling, counts) => {
    const { sent } = await killed({ telling, limits: { tpm: 60_000 }, ...(counts && { counts }) })
    expect(tokensPerMinute(sent, WARM_MS, END_MS) / 60_000).toBeGreaterThan(0.98)
    expect(refusedShare(sent, WARM_MS, END_MS)).toBeLessThan(0.005)
  })
})

describe('a fleet at a server that refuses nobody', () => {
  const PLACES = 12
  const PLACE_MS = 500
  const saturating = { capacity: PLACES, medianMs: PLACE_MS, spread: 0, telling: 'nothing', max: 256 } as const

  /** Answers of its best, and how many times its least an answer took on average, in each twenty seconds. */
  function stretches({ sent }: FleetSimulation) {
    const of = (fromMs: number) => sent.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + 20_000)
    return [30_000, 50_000, 70_000, 90_000, 110_000, 130_000, 150_000].map((fromMs) => {
      const here = of(fromMs)
      const sumMs = here.reduce((sum, { reply }) => sum + reply.tookMs, 0)
      return { share: here.length / ((20_000 * PLACES) / PLACE_MS), times: sumMs / here.length / PLACE_MS }
    })
  }

  it('keeps it busy together, and lets nobody wait long in line', async () => {
    const fleet = fleetSimulation(saturating)
    for (let n = 0; n < 4; n += 1) fleet.start()
    await fleet.run(END_MS)
    for (const { share, times } of stretches(fleet)) {
      expect(share).toBeGreaterThan(0.85)
      expect(times).toBeLessThan(3)
    }
  })

  it('does so while one after the other dies and another comes, who never saw the server unsaturated', async () => {
    for (const { share, times } of stretches(await killed(saturating))) {
      expect(share).toBeGreaterThan(0.85)
      expect(times).toBeLessThan(3)
    }
  })

  it('finds out that answers take longer for reasons of their own, and is back at what it may have in flight', async () => {
    const fleet = fleetSimulation({
      medianMs: 500,
      spread: 0.3,
      telling: 'nothing',
      longer: { fromMs: 30_000, times: 4 },
    })
    const workers = Array.from({ length: 4 }, () => fleet.start())
    const inFlight = () => workers.reduce((sum, { governor }) => sum + governor.state(ACCOUNT).concurrency, 0)
    await fleet.run(20_000)
    expect(inFlight()).toBe(256)
    await fleet.run(100_000)
    expect(inFlight()).toBeGreaterThan(200)
  })
})

describe('a fleet', () => {
  it('is at a limit that was halved within ten seconds', async () => {
    const changes = [{ afterMs: 60_000, rpm: 300 }]
    const fleet = fleetSimulation({ limits: { rpm: 600, changes } })
    for (let n = 0; n < 4; n += 1) fleet.start()
    await fleet.run(130_000)
    for (let at = 70_000; at < 130_000; at += 10_000) {
      const rate = answeredPerMinute(fleet.sent, at, at + 10_000) / 300
      expect(rate).toBeGreaterThan(0.9)
      expect(rate).toBeLessThan(1.1)
    }
    expect(refusedShare(fleet.sent, 0, 130_000)).toBeLessThan(0.005)
  })

  it('learns within a second what one worker was told, before the others have asked for anything', async () => {
    const fleet = fleetSimulation({ limits: { rpm: 600 }, medianMs: 100 })
    const asks = fleet.start({ rows: 1 })
    const rests = fleet.start({ rows: 0 })
    while (asks.limits().length === 0) await fleet.run(1)
    await fleet.run(1_000)
    expect(rests.limits()).toEqual(asks.limits())
    expect(rests.limits()).toMatchObject([{ kind: 'requests', limit: 600, source: 'said' }])
    const comes = fleet.start()
    await fleet.run(50)
    expect(comes.limits()).toEqual(asks.limits())
    await fleet.run(950)
    // What the newcomer sends in its first second is what the limit lets through, not what its concurrency would.
    expect(comes.sent.length).toBeGreaterThan(8)
    expect(comes.sent.length).toBeLessThan(25)
  })

  it('shares what it finds from refusals where nothing is told', async () => {
    const fleet = fleetSimulation({ telling: 'nothing', limits: { rpm: 120 }, medianMs: 100 })
    const one = fleet.start()
    await fleet.run(60_000)
    const other = fleet.start({ rows: 0 })
    await fleet.run(1_000)
    const [found] = one.limits()
    expect(found?.source).toBe('found')
    expect(other.limits()[0]).toMatchObject({ kind: 'requests', source: 'found' })
    expect(Math.abs((other.limits()[0]?.limit ?? 0) - (found?.limit ?? 0))).toBeLessThan(12)
  })

  it('keeps to the smallest limit that any job gives, for as long as it does', async () => {
    const fleet = fleetSimulation({ medianMs: 100 })
    const strict = fleet.start({ given: { rpm: 60 } })
    fleet.start({ given: { rpm: 600 } })
    await fleet.run(60_000)
    expect(answeredPerMinute(fleet.sent, 10_000, 60_000) / 60).toBeCloseTo(1, 1)
    strict.kill()
    await fleet.run(60_000)
    expect(answeredPerMinute(fleet.sent, 75_000, 120_000) / 600).toBeCloseTo(1, 1)
  })

  it('does not sit out a wait for a limit that was raised meanwhile', async () => {
    const changes = [{ afterMs: 30_000, rpm: 6_000 }]
    const fleet = fleetSimulation({ limits: { rpm: 2, changes }, medianMs: 100 })
    const [asks, waits] = [fleet.start(), fleet.start()]
    await fleet.run(29_000)
    const before = waits.sent.length + asks.sent.length
    await fleet.run(31_000)
    expect(before).toBeLessThan(10)
    // Whoever sends next hears of it, and the other from that one.
    while (fleet.clock.elapsed() < 120_000 && fleet.sent.length < before + 100) await fleet.run(1_000)
    expect(fleet.sent.length).toBeGreaterThanOrEqual(before + 100)
    await fleet.run(2_000)
    expect(Math.min(asks.sent.length, waits.sent.length)).toBeGreaterThan(30)
  })

  it('shares a limit about evenly, with one who comes late, too', async () => {
    const fleet = fleetSimulation({ limits: { rpm: 3_000 } })
    const workers = [fleet.start(), fleet.start(), fleet.start()]
    await fleet.run(30_000)
    workers.push(fleet.start())
    await fleet.run(30_000)
    const before = workers.map(({ sent }) => sent.length)
    await fleet.run(30_000)
    const shares = workers.map(({ sent }, n) => (sent.length - (before[n] as number)) / 1_500)
    for (const share of shares) {
      expect(share).toBeGreaterThan(0.15)
      expect(share).toBeLessThan(0.4)
    }
  })

  it('sends nothing more while its place is away, and goes on when it is back', async () => {
    const fleet = fleetSimulation({ limits: { rpm: 600 } })
    fleet.start()
    await fleet.run(20_000)
    fleet.fleet.isAway = true
    await fleet.run(2_000)
    const sent = fleet.sent.length
    await fleet.run(20_000)
    expect(fleet.sent.length).toBe(sent)
    fleet.fleet.isAway = false
    await fleet.run(20_000)
    expect(fleet.sent.length - sent).toBeGreaterThan(190)
  })

  it('holds little that it does not use, and gives that back when it rests', async () => {
    const fleet = fleetSimulation({ limits: { rpm: 600 }, medianMs: 100, spread: 0.1 })
    const drawn = async () => (await fleet.fleet.known(ACCOUNT)).find(({ kind }) => kind === 'requests')?.drawn ?? 0
    const begun = fleet.start({ rows: 1 })
    await fleet.run(2_000)
    const dies = fleet.start()
    const before = await seen(fleet, drawn)
    await fleet.run(5_000)
    // What is drawn and not sent when it dies is what is lost.
    expect((await seen(fleet, drawn)) - before - dies.sent.length).toBeLessThanOrEqual(3)
    dies.kill()
    begun.kill()
    const rests = fleet.start({ rows: 40 })
    const rested = await seen(fleet, drawn)
    await fleet.run(10_000)
    expect(rests.sent.length).toBe(40)
    expect((await seen(fleet, drawn)) - rested).toBe(40)
  })

  it('uses a limit of the day up at once, and then says until when it waits', async () => {
    const fleet = fleetSimulation({ medianMs: 100 })
    const workers = [fleet.start({ given: { rpd: 50 } }), fleet.start({ given: { rpd: 50 } })]
    await fleet.run(60_000)
    expect(fleet.sent.length).toBeGreaterThanOrEqual(48)
    expect(fleet.sent.length).toBeLessThanOrEqual(51)
    const down = workers.map(({ governor }) => governor.state(ACCOUNT).down)
    expect(down[0]).toMatchObject({ cause: null, limit: { kind: 'requests', limit: 50, source: 'given' } })
    expect(down[0]?.waitMs).toBeGreaterThan(120_000)
    // One more worker knows it, too.
    const late = fleet.start({ given: { rpd: 50 } })
    await fleet.run(10_000)
    expect(late.sent.length).toBe(0)
    // Whoever resumes the job wants it tried.
    late.governor.forgiveOutage(ACCOUNT)
    await fleet.run(1_000)
    expect(late.sent.length).toBeGreaterThan(0)
  })
})

/** What a question to the fleet is answered with, which takes time. */
async function seen<T>(fleet: FleetSimulation, ask: () => Promise<T>): Promise<T> {
  const answer = ask()
  await fleet.run(10)
  return answer
}
