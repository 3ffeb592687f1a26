import { describe, expect, it } from 'vitest'
import type { AttemptFact } from '../../src/domain/attempt.ts'
import type { RowTask } from '../../src/worker/held-chunk.ts'
import { createWarmGate } from '../../src/worker/warm-gate.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const FACT = {} as AttemptFact

function gate() {
  const runtime = manualRuntime()
  const warm = createWarmGate(runtime)
  let calls = 0
  warm.onRoom(() => {
    calls += 1
  })
  return { runtime, warm, rooms: () => calls }
}

/** Rows of a job whose fixed part is of so many bytes; its model keeps prompts from 1,024 tokens on. */
function job(bytes: number) {
  const targets = new Map([[-1, { modelId: 'm', account: 'a', price: null, priceNo: null, cachesFrom: 1024 }]])
  const request = { fixed: { system: true, userChars: 0, bytes } }
  return { held: { run: { targets } }, next: { request, fallbackIndex: -1 } } as unknown as RowTask
}

describe('warming the cache of prompts', () => {
  it('lets one request go ahead and holds the others back until it has ended, however it did', () => {
    const { warm, rooms } = gate()
    const row = job(8_000)
    const first = warm.enter(row)
    expect(first).not.toBeNull()
    expect(warm.enter(row)).toBeNull()
    expect(warm.enter(row)).toBeNull()
    first?.leave('abandoned')
    expect(rooms()).toBe(1)
    expect(warm.enter(row)).not.toBeNull()
    expect(warm.enter(row)).not.toBeNull()
  })

  it('holds nothing back for a short beginning', () => {
    const { warm } = gate()
    const row = job(1_000)
    expect([warm.enter(row), warm.enter(row)]).not.toContain(null)
  })

  it('waits ten seconds at the most', async () => {
    const { warm, runtime, rooms } = gate()
    const row = job(8_000)
    const first = warm.enter(row)
    expect(warm.enter(row)).toBeNull()
    await runtime.pass(10_000)
    expect(rooms()).toBe(1)
    expect(warm.enter(row)).not.toBeNull()
    first?.leave(FACT)
    expect(rooms()).toBe(1)
    expect(warm.enter(row)).not.toBeNull()
  })

  it('lets another go ahead where the first was not sent, and calls nobody who was not sent away', () => {
    const { warm, rooms } = gate()
    const row = job(8_000)
    warm.enter(row)?.leave('not sent')
    expect(rooms()).toBe(0)
    const again = warm.enter(row)
    expect(warm.enter(row)).toBeNull()
    again?.leave('not sent')
    expect(rooms()).toBe(1)
    expect(warm.enter(row)).not.toBeNull()
    expect(warm.enter(row)).toBeNull()
  })

  it('begins again where the prompt was not asked with for five minutes', async () => {
    const { warm, runtime } = gate()
    const row = job(8_000)
    warm.enter(row)?.leave(FACT)
    await runtime.pass(4 * 60_000)
    expect([warm.enter(row), warm.enter(row)]).not.toContain(null)
    await runtime.pass(5 * 60_000 + 1)
    expect(warm.enter(row)).not.toBeNull()
    expect(warm.enter(row)).toBeNull()
  })

  it('is of each job and model by itself', () => {
    const { warm } = gate()
    const [one, other] = [job(8_000), job(8_000)]
    warm.enter(one)
    expect(warm.enter(other)).not.toBeNull()
  })
})
