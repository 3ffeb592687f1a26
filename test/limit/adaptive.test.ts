import { describe, expect, it } from 'vitest'
import type { Cause } from '../../src/domain/failure.ts'
import { createAdaptiveGovernor } from '../../src/limit/adaptive.ts'
import { OUTAGE_FAILURES, OUTAGE_PATIENCE_MS } from '../../src/limit/breaker.ts'
import { START_LIMIT } from '../../src/limit/concurrency.ts'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import type { Slot, SlotResult } from '../../src/limit/governor.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const answered: SlotResult = { cause: null, retryAfterMs: null, limits: null, usage: null, latencyMs: 100 }
const failed = (cause: Cause, retryAfterMs: number | null = null): SlotResult => ({ ...answered, cause, retryAfterMs })
const size = { group: 'job', worstInputTokens: 400, worstOutputTokens: 100 }
const account = 'openai/gpt-5-mini'

function setUp(max = 64) {
  const runtime = manualRuntime()
  const holds: string[] = []
  const governor = createAdaptiveGovernor({
    runtime,
    share: createOwnShare(runtime),
    defaultMax: max,
    onHold: (_account, _until, cause) => holds.push(cause),
  })
  const take = () => governor.take(account, size) as Slot
  return { runtime, governor, take, holds }
}

describe('the adaptive governor', () => {
  it('gives as many slots as the concurrency allows, and one more for each that ends', () => {
    const { governor, take } = setUp(2)
    const first = take()
    take()
    expect(governor.take(account, size)).toBeNull()
    first.release(answered)
    expect(governor.take(account, size)).not.toBeNull()
  })

  it('keeps accounts apart', () => {
    const { governor, take } = setUp(1)
    take()
    expect(governor.take(account, size)).toBeNull()
    expect(governor.take('anthropic/claude', size)).not.toBeNull()
  })

  it('holds the whole account for as long as the provider asked, and says when there is room again', async () => {
    const { runtime, governor, take, holds } = setUp()
    const room: string[] = []
    governor.onRoom((name) => room.push(name))
    take().release(failed('rate_limited', 7_000))
    expect(holds).toEqual(['rate_limited'])
    expect(governor.state(account).heldFor).toBe('rate_limited')
    room.length = 0
    await runtime.pass(6_999)
    expect(governor.take(account, size)).toBeNull()
    expect(room).toEqual([])
    await runtime.pass(1_001)
    expect(room).toEqual([account])
    expect(governor.take(account, size)).not.toBeNull()
  })

  it('waits longer the more often it is pushed back without a time', async () => {
    const { runtime, governor, take } = setUp()
    const waits: number[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      await runtime.pass(1)
      const slot = take()
      const before = runtime.now()
      slot.release(failed('overloaded'))
      waits.push((governor.state(account).heldUntilMs as number) - before)
      await runtime.pass(60_000)
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b))
    expect(waits[3]).toBeGreaterThan(waits[0] as number)
  })

  it('calls a run of failures an outage, probes one at a time, and closes with the first answer', async () => {
    const { runtime, governor, take } = setUp()
    let outage = false
    for (let turn = 0; turn < OUTAGE_FAILURES + 1; turn += 1) {
      await runtime.pass(20_000)
      outage = take().release(failed('connection')).outage
    }
    expect(outage).toBe(true)
    await runtime.pass(20_000)
    const probe = take()
    expect(governor.take(account, size)).toBeNull()
    expect(probe.release(answered).outage).toBe(false)
    expect(governor.state(account).outage).toBe(false)
  })

  it('says that a provider is down after a long outage', async () => {
    const { runtime, governor, take } = setUp()
    for (let turn = 0; turn < OUTAGE_FAILURES + 1; turn += 1) {
      await runtime.pass(20_000)
      take().release(failed('connection'))
    }
    await runtime.pass(OUTAGE_PATIENCE_MS)
    take().release(failed('connection'))
    expect(governor.state(account).down).toMatchObject({ cause: 'connection' })
  })

  it('learns nothing from a request that was hung up on', () => {
    const { governor, take } = setUp()
    take().release(failed('cancelled'))
    expect(governor.state(account)).toMatchObject({ inFlight: 0, concurrency: START_LIMIT, outage: false })
  })

  it('refuses to release a slot twice', () => {
    const { take } = setUp()
    const slot = take()
    slot.release(answered)
    expect(() => slot.release(answered)).toThrow('twice')
  })

  it('follows a new maximum', () => {
    const { governor, take } = setUp(8)
    governor.bound(account, { concurrency: 1, limits: NO_LIMITS })
    take()
    expect(governor.take(account, size)).toBeNull()
    governor.bound(account, { concurrency: 8, limits: NO_LIMITS })
    expect(governor.state(account).concurrency).toBe(1)
  })
})
