import { describe, expect, it } from 'vitest'
import type { Cause } from '../../src/domain/failure.ts'
import { createAdaptiveGovernor } from '../../src/limit/adaptive.ts'
import { OUTAGE_PATIENCE_MS, REFUSAL_PATIENCE_MS } from '../../src/limit/breaker.ts'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import { flexAccount, limitedAccount } from '../../src/limit/flex-account.ts'
import type { Slot, SlotResult } from '../../src/limit/governor.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const account = 'openai/gpt-5-mini at api.openai.com/v1 with OPENAI_API_KEY'
const flex = flexAccount(account)
const size = { group: 'job', worstInputTokens: 400, worstOutputTokens: 100 }
const answered: SlotResult = { cause: null, retryAfterMs: null, limits: null, usage: null, latencyMs: 100 }
const failed = (cause: Cause): SlotResult => ({ ...answered, cause })

function setUp() {
  const runtime = manualRuntime()
  const governor = createAdaptiveGovernor({ runtime, share: createOwnShare(runtime), defaultMax: 64 })
  const take = (name: string) => governor.take(name, size) as Slot
  return { runtime, governor, take }
}

describe('what goes as flex', () => {
  it('goes by a name from which the account can be told', () => {
    expect(limitedAccount(flex)).toBe(account)
    expect(limitedAccount(account)).toBe(account)
  })

  it('draws on the limits of its account', async () => {
    const { runtime, governor, take } = setUp()
    for (const name of [account, flex]) governor.bound(name, { concurrency: 64, limits: { ...NO_LIMITS, rpm: 60 } })
    take(flex).release(answered)
    expect(governor.take(account, size)).toBeNull()
    expect(governor.state(account).bound).toMatchObject({ kind: 'requests', limit: 60 })
    const room: string[] = []
    governor.onRoom((name) => room.push(name))
    await runtime.pass(1_100)
    expect(new Set(room)).toEqual(new Set([account, flex]))
    expect(governor.take(account, size)).not.toBeNull()
    expect(governor.take(flex, size)).toBeNull()
  })

  it('is neither held nor slowed down by a refusal now and then', () => {
    const { governor, take } = setUp()
    const before = governor.state(flex).concurrency
    for (let n = 0; n < 30; n += 1) {
      take(flex).release(n % 2 === 0 ? failed('overloaded') : answered)
      expect(governor.state(flex).heldFor).toBeNull()
    }
    expect(governor.state(flex).concurrency).toBeGreaterThanOrEqual(before)
    take(flex).release({ ...failed('overloaded'), retryAfterMs: 5_000 })
    expect(governor.state(flex).heldFor).toBe('overloaded')
  })

  it('is held by itself when it is refused again and again, and teaches no limit', () => {
    const { governor, take } = setUp()
    const slots = Array.from({ length: 4 }, () => take(flex))
    const before = governor.state(flex).concurrency
    for (const slot of slots) slot.release(failed('overloaded'))
    expect(governor.take(flex, size)).toBeNull()
    expect(governor.state(flex).concurrency).toBeLessThan(before)
    expect(governor.take(account, size)).not.toBeNull()
    expect(governor.state(account)).toMatchObject({ heldFor: null, limits: [] })
  })

  it('may be refused for five minutes before it is given up, while its account is not', async () => {
    const { runtime, governor, take } = setUp()
    const startMs = runtime.now()
    while (governor.state(flex).down === null) {
      take(flex).release(failed('overloaded'))
      await runtime.pass(15_000)
      expect(runtime.now() - startMs).toBeLessThan(OUTAGE_PATIENCE_MS + 60_000)
    }
    expect(runtime.now() - startMs).toBeGreaterThanOrEqual(OUTAGE_PATIENCE_MS)
    expect(OUTAGE_PATIENCE_MS).toBeGreaterThan(REFUSAL_PATIENCE_MS)
    expect(governor.state(flex).down).toMatchObject({ cause: 'overloaded' })
    expect(governor.state(account)).toMatchObject({ outage: false, down: null })
  })
})
