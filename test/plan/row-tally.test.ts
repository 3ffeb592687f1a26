import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Row } from '../../src/domain/row.ts'
import { createHashTable, lowBits } from '../../src/plan/hash-table.ts'
import { createPilotDraw } from '../../src/plan/pilot-draw.ts'
import { createRowTally, type KeptAnswer, type SendableRow, type TallyOptions } from '../../src/plan/row-tally.ts'
import { withoutPilot } from '../../src/plan/without-pilot.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { spec } from '../row/fixture.ts'

const sha = (text: string) => createHash('sha256').update(text).digest('hex')
const rowsOf = (bodies: readonly string[]): Row[] =>
  bodies.map((body, index) => ({ index, id: `r${index}`, values: [body] }))

async function tallyOf(bodies: readonly string[], more: Partial<TallyOptions> = {}, unreadable = 0) {
  const program = createRowProgram(spec({ where: 'body != ""' }), ['body'])
  const tally = createRowTally({ program, sharesAnswers: true, answersOf: async () => new Map(), ...more })
  const rows = rowsOf(bodies)
  for (let at = 0; at < rows.length; at += 100) await tally.add(rows.slice(at, at + 100), at === 0 ? unreadable : 0)
  return tally.finish()
}

describe('the tally of rows', () => {
  it('counts what a run would do with each row; identical requests are asked once', async () => {
    const { rows, bytes, worstOutputTokens } = await tallyOf(['a', 'bb', 'a', '', 'a'], {}, 2)
    expect(rows).toEqual({
      total: 7,
      toRun: 2,
      reuse: 0,
      duplicates: 2,
      skipped: 1,
      unreadable: 2,
      failing: 0,
      exact: true,
    })
    const schema = JSON.stringify(spec().output.schema).length
    expect(bytes).toBe(3 + 2 * schema)
    expect(worstOutputTokens).toBe(400)
  })

  it('counts answered rows, with those that repeat them, as reused; refused answers are paid for', async () => {
    const kept: KeptAnswer[] = ['accepted', 'refused']
    const paid: (KeptAnswer | null)[] = []
    const { rows } = await tallyOf(['a', 'a', 'b', 'c'], {
      answersOf: async (asked) =>
        new Map(asked.flatMap(({ sendable }, at) => (kept[at] ? [[sendable.requestHash, kept[at]] as const] : []))),
      onPaid: (_row, _weight, answer) => paid.push(answer),
    })
    expect(rows).toMatchObject({ toRun: 2, reuse: 2, duplicates: 0 })
    expect(paid).toEqual(['refused', null])
  })

  it('where answers are not shared, every row is paid for', async () => {
    const { rows } = await tallyOf(['a', 'a', 'b'], { sharesAnswers: false })
    expect(rows).toMatchObject({ toRun: 3, reuse: 0, duplicates: 0 })
  })

  it('adds up to all rows, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('', 'a', 'b', 'c', 'd')), fc.nat(3), async (bodies, unreadable) => {
        const { rows } = await tallyOf(bodies, {}, bodies.length === 0 ? 0 : unreadable)
        const { total, toRun, reuse, duplicates, skipped, failing } = rows
        expect(toRun + reuse + duplicates + skipped + rows.unreadable + failing).toBe(total)
        expect(toRun).toBe(new Set(bodies.filter((body) => body !== '')).size)
      }),
      { numRuns: 30 },
    )
  })

  it('beyond its bound takes the share of a sample, and says so', async () => {
    // Of 12,000 rows every fourth says what the one before it said, and a tenth of the different ones are answered.
    const bodies = Array.from({ length: 12_000 }, (_, at) => `text ${at % 4 === 3 ? at - 1 : at}`)
    let weight = 0
    const { rows, bytes } = await tallyOf(bodies, {
      mostRequests: 1000,
      answersOf: async (asked) =>
        new Map(
          asked
            .filter(({ row }) => Number(row.id.slice(1)) % 10 === 0)
            .map(({ sendable }) => [sendable.requestHash, 'accepted' as const]),
        ),
      onPaid: (_row, stands) => {
        weight += stands
      },
    })
    expect(rows.exact).toBe(false)
    expect(rows.toRun + rows.reuse + rows.duplicates).toBe(12_000)
    const within = (value: number, truth: number) => Math.abs(value / truth - 1)
    expect(within(rows.toRun, 7800)).toBeLessThan(0.1)
    expect(within(rows.reuse, 1500)).toBeLessThan(0.4)
    expect(within(bytes, (7800 / 12_000) * (await tallyOf(bodies, { sharesAnswers: false })).bytes)).toBeLessThan(0.1)
    expect(within(weight, 7800)).toBeLessThan(0.1)
  })

  it('without the rows of a pilot, those are reused', async () => {
    const tally = await tallyOf(['aaaa', 'bb', 'c'])
    const after = withoutPilot(tally, [{ id: 'r0', requestHash: 'x', bytes: tally.bytes / 3 + 2 }])
    expect(after.rows).toMatchObject({ total: 3, toRun: 2, reuse: 1 })
    expect(after.bytes).toBeCloseTo((tally.bytes * 2) / 3 - 2)
    expect(after.worstOutputTokens).toBe(400)
  })
})

describe('the hash table', () => {
  it('remembers what a map would, over growing and thinning out', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9000), { maxLength: 6000 }), (keys) => {
        const table = createHashTable()
        const truth = new Map<string, number>()
        for (const key of keys) {
          const hash = sha(String(key))
          const { slot, added } = table.slotOf(hash)
          expect(added).toBe(!truth.has(hash))
          table.first[slot] = key
          truth.set(hash, key)
        }
        table.keep((low) => low % 2 === 0)
        const kept = [...truth].filter(([hash]) => lowBits(hash) % 2 === 0)
        expect(table.size).toBe(kept.length)
        for (const [hash, key] of kept) expect(table.first[table.find(hash)]).toBe(key)
        for (const [hash] of truth) if (lowBits(hash) % 2 === 1) expect(table.find(hash)).toBe(-1)
      }),
      { numRuns: 20 },
    )
  })
})

describe('the draw of a pilot', () => {
  it('draws all where there are few, in the order of the input', async () => {
    const draw = createPilotDraw(10, Math.random)
    await tallyOf(['a', 'b', 'a', 'c'], { onPaid: (row, weight) => draw.offer(row, weight) })
    expect(draw.drawn().map(({ id }) => id)).toEqual(['r0', 'r1', 'r3'])
  })

  it('draws each row as often as any other', () => {
    const drawn = new Array<number>(40).fill(0)
    let state = 1
    const random = () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    for (let time = 0; time < 400; time++) {
      const draw = createPilotDraw(10, random)
      for (let index = 0; index < 40; index++) draw.offer(offered(index), 1)
      for (const { id } of draw.drawn()) drawn[Number(id)] = (drawn[Number(id)] as number) + 1
    }
    // 100 each on average; five standard deviations to either side.
    expect(drawn.every((times) => times > 55 && times < 145)).toBe(true)
  })
})

function offered(index: number): SendableRow {
  return {
    row: { index, id: String(index), values: [] },
    sendable: { requestHash: '' } as SendableRow['sendable'],
    bytes: 1,
  }
}
