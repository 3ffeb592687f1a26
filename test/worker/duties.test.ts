import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { createEvents, type EventMap } from '../../src/events.ts'
import type { Fleet } from '../../src/store/role/fleet.ts'
import { GONE_AFTER_MS, type Member } from '../../src/store/role/fleet.ts'
import { type Duty, ROLE_MS, serveDuties } from '../../src/worker/duties.ts'
import { createRollCall } from '../../src/worker/roll-call.ts'
import { until } from './until.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** Workers that stand by for one duty, each of which can die or be cut off from the store. */
function crew(work: (name: string, holds: () => boolean) => Promise<void>) {
  const failures: unknown[] = []
  const holding = new Set<string>()
  const start = (workerId: string) => {
    const ended = new AbortController()
    let away = false
    const fleet: Fleet = {
      ...shop.store.fleet,
      async holdRole(...asked) {
        if (away) throw new StorageFailure('io', 'the network is cut')
        return await shop.store.fleet.holdRole(...asked)
      },
      async dropRole(...asked) {
        if (away) throw new StorageFailure('io', 'the network is cut')
        await shop.store.fleet.dropRole(...asked)
      },
    }
    const duty: Duty = { role: 'janitor', everyMs: 500, work: (holds) => work(workerId, holds) }
    const deps = {
      fleet,
      runtime: shop.runtime,
      workerId,
      onRole: (_role: string, held: boolean) => void (held ? holding.add(workerId) : holding.delete(workerId)),
      onFailure: (_role: string, error: unknown) => void failures.push(error),
    }
    const done = serveDuties(deps, [duty], ended.signal)
    return {
      cut: () => {
        away = true
      },
      async stop() {
        ended.abort()
        await done
      },
    }
  }
  return { start, failures, holding }
}

describe('a duty', () => {
  it('is done by one worker at a time, and by another within seconds when that one is cut off', async () => {
    const turns: string[] = []
    const holders = new Map<string, () => boolean>()
    let most = 0
    const { start, holding } = crew(async (name, holds) => {
      holders.set(name, holds)
      most = Math.max(most, [...holders.values()].filter((stillHolds) => stillHolds()).length)
      await shop.runtime.sleep(200)
      turns.push(name)
    })
    const workers = { a: start('a'), b: start('b'), c: start('c') }
    await until('somebody works', () => turns.length > 3)
    const first = turns[0] as keyof typeof workers
    expect(new Set(turns)).toEqual(new Set([first]))
    expect([...holding]).toEqual([first])
    workers[first].cut()
    const cutMs = shop.runtime.elapsed()
    await until('another works', () => turns.some((name) => name !== first))
    expect(shop.runtime.elapsed() - cutMs).toBeGreaterThan(ROLE_MS - 4_000)
    const after = turns.findIndex((name) => name !== first)
    expect(turns.slice(after)).not.toContain(first)
    expect(most).toBe(1)
    for (const worker of Object.values(workers)) await worker.stop()
  })

  it('goes on at once with another when its holder leaves in order', async () => {
    const turns: string[] = []
    const { start } = crew(async (name) => void turns.push(name))
    const first = start('a')
    await until('the first works', () => turns.includes('a'))
    const second = start('b')
    const leftMs = shop.runtime.elapsed()
    await first.stop()
    await until('the second works', () => turns.includes('b'))
    expect(shop.runtime.elapsed() - leftMs).toBeLessThan(ROLE_MS)
    await second.stop()
    expect(await shop.store.fleet.roles()).toEqual([])
  })

  it('whose work goes wrong is told of, and comes again; a store that is away is waited for', async () => {
    let turn = 0
    const { start, failures } = crew(async () => {
      turn += 1
      if (turn === 1) throw new StorageFailure('busy', 'locked')
      if (turn === 2) throw new TypeError('a defect')
    })
    const worker = start('a')
    await until('it has worked again', () => turn > 3)
    expect(failures).toEqual([new TypeError('a defect')])
    await worker.stop()
  })
})

describe('the roll call', () => {
  const member = (workerId: string): Member => ({
    workerId,
    host: 'box',
    pid: 1,
    version: '1',
    jobNo: null,
    chunks: 5,
    concurrency: null,
  })

  it('judges by silence, but not after it was not heard itself', async () => {
    const clock = { ms: 0 }
    const runtime = { elapsed: () => clock.ms }
    const events = createEvents(() => undefined)
    const lapsed: EventMap['worker.lapsed'][] = []
    events.on('worker.lapsed', (event) => lapsed.push(event))
    // The database's clock is the workshop's; nobody else is heard of at all.
    const { fleet } = shop.store
    const judged: Fleet = { ...fleet, isGone: async (id) => id !== 'me' }
    const calls = createRollCall({ fleet: judged, runtime, events })
    const wishes: number[] = []
    const me = await calls.join({
      member: member('me'),
      concurrency: () => 7,
      onWish: (rows) => void wishes.push(rows),
    })
    clock.ms += 1_000
    await me.beat()
    expect(await calls.isGone('other')).toBe(true)

    // The database was away for a while: nobody could be heard.
    clock.ms += 20_000
    await me.beat()
    expect(await calls.isGone('other')).toBe(false)
    for (let second = 0; second < GONE_AFTER_MS / 1_000; second += 1) {
      expect(await calls.isGone('other')).toBe(false)
      clock.ms += 1_000
      await me.beat()
    }
    expect(await calls.isGone('other')).toBe(true)

    await fleet.wantConcurrency('me', 3)
    await me.beat()
    expect(wishes).toEqual([3])
    expect((await fleet.members())[0]).toMatchObject({ workerId: 'me', concurrency: 7 })

    await fleet.forget(-1_000)
    expect(lapsed).toEqual([])
    await me.beat()
    expect(lapsed).toEqual([{ workerId: 'me', silentMs: null }])
    expect((await fleet.members()).map(({ workerId }) => workerId)).toEqual(['me'])
    await me.leave()
    expect(await fleet.members()).toEqual([])
  })
})
