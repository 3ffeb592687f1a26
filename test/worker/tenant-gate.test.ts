import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AttemptFact } from '../../src/domain/attempt.ts'
import { NO_CAPS, type TenantCaps } from '../../src/domain/tenant.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import type { MemberSeen } from '../../src/store/role/fleet.ts'
import type { RowTask } from '../../src/worker/held-chunk.ts'
import { createTenantGate, shareOf } from '../../src/worker/tenant-gate.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

function fact(inputTokens: number, cause: AttemptFact['cause'] = null): AttemptFact {
  return { usage: { inputTokens, outputTokens: 0 }, cause } as unknown as AttemptFact
}

function rowOf(tenantNo: number, caps: Partial<TenantCaps>, jobNo = tenantNo): RowTask {
  const run = { job: { tenantNo }, caps: { ...NO_CAPS, ...caps } }
  const next = { worstInputTokens: 4_000, worstOutputTokens: 0, fallbackIndex: -1 }
  return { held: { run, claim: { jobNo } }, next } as unknown as RowTask
}

function open(members: readonly string[] = []) {
  const runtime = manualRuntime()
  const seen = members.map((workerId) => ({ workerId, gone: workerId.startsWith('gone') }) as MemberSeen)
  const gate = createTenantGate({
    workerId: 'b',
    runtime,
    share: createOwnShare(runtime),
    fleet: { members: async () => seen },
  })
  let rooms = 0
  gate.onRoom(() => {
    rooms += 1
  })
  return { gate, runtime, rooms: () => rooms }
}

describe('the gate of a tenant', () => {
  it('lets everything in where there are no caps', () => {
    const { gate } = open()
    for (let n = 0; n < 1_000; n += 1) expect(gate.enter(rowOf(1, {}))).not.toBeNull()
  })

  it('keeps to so many requests in flight over all jobs of a tenant, and to no others', () => {
    const { gate, rooms } = open()
    const first = gate.enter(rowOf(1, { concurrency: 2 }, 1))
    expect(gate.enter(rowOf(1, { concurrency: 2 }, 2))).not.toBeNull()
    expect(gate.enter(rowOf(1, { concurrency: 2 }, 3))).toBeNull()
    expect(gate.enter(rowOf(2, {}))).not.toBeNull()
    first?.leave(fact(10))
    expect(rooms()).toBe(1)
    expect(gate.enter(rowOf(1, { concurrency: 2 }, 3))).not.toBeNull()
    // Another cap counts at once, with those that were let in before.
    expect(gate.enter(rowOf(1, { concurrency: 3 }, 3))).not.toBeNull()
    expect(gate.enter(rowOf(1, { concurrency: 3 }, 3))).toBeNull()
  })

  it('keeps to so many tokens a minute, whatever requests were thought to take', async () => {
    const { gate, runtime, rooms } = open()
    const caps = { tpm: 60_000 }
    let used = 0
    for (let tenth = 0; tenth < 3_000; tenth += 1) {
      for (let pass = gate.enter(rowOf(1, caps)); pass !== null; pass = gate.enter(rowOf(1, caps))) {
        pass.leave(fact(700))
        used += 700
      }
      await runtime.pass(100)
    }
    expect(used).toBeGreaterThan(0.9 * 300_000)
    expect(used).toBeLessThan(1.1 * 300_000 + 5_000)
    expect(rooms()).toBeGreaterThan(0)
    expect(gate.enter(rowOf(1, { tpm: null }))).not.toBeNull()
  })

  it('takes nothing of the tokens for what was not sent, or was turned away', () => {
    const { gate } = open()
    const caps = { tpm: 1_200 }
    for (let n = 0; n < 50; n += 1)
      gate.enter(rowOf(1, caps))?.leave(n % 2 === 0 ? 'not sent' : fact(0, 'rate_limited'))
    expect(gate.enter(rowOf(1, caps))).not.toBeNull()
  })

  it('deals requests in flight out among the workers that live', async () => {
    const { gate, rooms } = open(['a', 'b', 'c', 'gone d'])
    const caps = { concurrency: 7 }
    gate.enter(rowOf(1, caps))
    await gate.look()
    expect(rooms()).toBe(1)
    expect(gate.enter(rowOf(1, caps))).not.toBeNull()
    expect(gate.enter(rowOf(1, caps))).toBeNull()
  })

  it('deals out the whole cap and no more, as long as there is one for each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 500 }), (of, more) => {
        const cap = of + more
        const parts = Array.from({ length: of }, (_, rank) => shareOf(cap, { rank, of }))
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(cap)
        expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1)
      }),
    )
    expect(shareOf(1, { rank: 4, of: 9 })).toBe(1)
  })
})
