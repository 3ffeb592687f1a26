import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hadOf, nextTurns, type TenantWaiting } from '../../src/queue/tenant-turns.ts'

function waiting(tenantNo: number, more: Partial<TenantWaiting> = {}): TenantWaiting {
  return { tenantNo, weight: 1, had: 0, level: 0, typical: 1_000, room: null, isLast: false, ...more }
}

const tenants = fc.array(
  fc.record({ weight: fc.integer({ min: 1, max: 20 }), typical: fc.integer({ min: 1, max: 100_000 }) }),
  { minLength: 1, maxLength: 12 },
)

/** What each tenant had after its turns, counted by its weight. */
function hadAfter(lines: readonly TenantWaiting[], turns: ReturnType<typeof nextTurns>): readonly number[] {
  return lines.map(({ tenantNo, had }) => {
    const turn = turns.find((one) => one.tenantNo === tenantNo)
    return turn === undefined ? had : turn.start + turn.messages * turn.each
  })
}

describe('the line of tenants', () => {
  it('keeps all tenants that wait within one message of each other, however many are given out', () => {
    fc.assert(
      fc.property(tenants, fc.integer({ min: 1, max: 300 }), (list, limit) => {
        const lines = list.map((one, tenantNo) => waiting(tenantNo, one))
        const turns = nextTurns(lines, limit, 0)
        expect(turns.reduce((sum, { messages }) => sum + messages, 0)).toBe(limit)
        const had = hadAfter(lines, turns)
        const largest = Math.max(...lines.map(({ typical, weight }) => hadOf(typical as number, weight)))
        expect(Math.max(...had) - Math.min(...had)).toBeLessThanOrEqual(Math.max(1, largest))
      }),
    )
  })

  it('gives out the same one by one as all at once', () => {
    fc.assert(
      fc.property(tenants, fc.integer({ min: 1, max: 60 }), (list, limit) => {
        let lines = list.map((one, tenantNo) => waiting(tenantNo, one))
        const atOnce = hadAfter(lines, nextTurns(lines, limit, 0))
        for (let n = 0; n < limit; n += 1) {
          const had = hadAfter(lines, nextTurns(lines, 1, 0))
          lines = lines.map((line, at) => ({ ...line, had: had[at] as number }))
        }
        expect(lines.map(({ had }) => had)).toEqual(atOnce)
      }),
    )
  })

  it('never gives a tenant more than it has room for', () => {
    const turns = nextTurns([waiting(1, { room: 2 }), waiting(2, { room: 1 })], 10, 0)
    expect(turns.map(({ tenantNo, messages }) => [tenantNo, messages])).toEqual([
      [1, 2],
      [2, 1],
    ])
  })

  it('serves those that are last only where nobody else has room', () => {
    const turns = nextTurns([waiting(1, { isLast: true }), waiting(2, { had: 9_000_000, room: 2 })], 3, 9_000_000)
    expect(turns.map(({ tenantNo, messages }) => [tenantNo, messages])).toEqual([
      [2, 2],
      [1, 1],
    ])
  })

  it('lets a tenant that comes new begin where the line stands', () => {
    const front = hadOf(50_000, 1)
    const [first] = nextTurns([waiting(1, { had: front + 1 }), waiting(2, { level: front })], 1, front)
    expect(first).toMatchObject({ tenantNo: 2, start: front })
  })

  it('owes a tenant that could not be served eight messages of the largest at the most', () => {
    const front = hadOf(1_000_000, 1)
    const [turn] = nextTurns([waiting(1, { typical: 2_000 }), waiting(2, { had: front })], 1, front)
    expect(turn).toMatchObject({ tenantNo: 1, start: front - 8 * hadOf(2_000, 1) })
  })

  it('takes a tenant of which nothing is known for what the others are', () => {
    const turns = nextTurns([waiting(1, { typical: 8_000 }), waiting(2, { typical: null })], 2, 0)
    expect(turns.map(({ each }) => each)).toEqual([hadOf(8_000, 1), hadOf(8_000, 1)])
  })
})
