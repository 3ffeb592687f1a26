import { describe, expect, it } from 'vitest'
import { GIVEN_FOR_MS, type LimitDraw, type Limits } from '../../src/store/role/limits.ts'
import type { StoreUnderTest } from './store-fixture.ts'

const MINUTE_MS = 60_000

/** Takes `ms` of the time of a limit of 600 a minute; a rest leaves nothing to be drawn at once. */
function taking(kind: string, ms: number, more: Partial<LimitDraw> = {}): LimitDraw {
  return { kind, windowMs: MINUTE_MS, amount: ms / 100, costUs: ms * 1000, creditUs: 0, ...more }
}

const perMinute = (kind: string, limit: number) => ({ kind, windowMs: MINUTE_MS, limit })
const said = (kind: string, limit: number) => ({ ...perMinute(kind, limit), how: 'said' })

/** Limits that all workers share: what every store must do. A test is quick beside the times in it, but not instant. */
export function limitsConformance(under: () => StoreUnderTest): void {
  const limits = () => under().store.limits
  const another = async () => (await under().openAnother()).limits
  const wait = async (draws: readonly LimitDraw[], from: Limits = limits(), account = 'a') =>
    (await from.draw(account, draws)).waitMs

  describe('draws', () => {
    it('wait for one another, whoever draws', async () => {
      const other = await another()
      const first = await wait([taking('requests', 10_000)])
      const second = await wait([taking('requests', 10_000)], other)
      expect(first).toBeGreaterThan(9_000)
      expect(first).toBeLessThanOrEqual(10_000)
      expect(second).toBeGreaterThan(first + 9_000)
      expect(second).toBeLessThanOrEqual(20_000)
      expect(await wait([taking('requests', 10_000)], other, 'b')).toBeLessThanOrEqual(10_000)
      expect(await wait([taking('tokens', 10_000)], other)).toBeLessThanOrEqual(10_000)
      expect(await wait([taking('requests', 10_000, { windowMs: 1_000 })])).toBeLessThanOrEqual(10_000)
      expect(await limits().draw('a', [])).toEqual({ waitMs: 0, drawn: [] })
    })

    it('on several limits at once wait for the slowest of them', async () => {
      await wait([taking('tokens', 30_000), taking('requests', 1_000)])
      expect(await wait([taking('requests', 1_000)])).toBeLessThanOrEqual(2_000)
      const both = await wait([taking('requests', 1_000), taking('tokens', 5_000)])
      expect(both).toBeGreaterThan(34_000)
      expect(both).toBeLessThanOrEqual(35_000)
    })

    it('may be used at once as far as unused time reaches, and no further', async () => {
      const rested = (ms: number) => taking('requests', ms, { creditUs: 20_000_000 })
      expect(await wait([rested(20_000)])).toBe(0)
      expect(await wait([rested(5_000)])).toBeGreaterThan(4_000)
      await under().pass(MINUTE_MS)
      expect(await wait([rested(20_000)])).toBe(0)
      expect(await wait([rested(5_000)])).toBeGreaterThan(4_000)
    })

    it('come back with the time, or when they are given back', async () => {
      await wait([taking('requests', 30_000)])
      await under().pass(20_000)
      expect(await wait([taking('requests', 0)])).toBeLessThanOrEqual(10_000)
      expect(await wait([taking('requests', -9_000)])).toBeLessThanOrEqual(1_000)
      expect(await wait([taking('requests', 4_000)])).toBeLessThanOrEqual(5_000)
    })

    it('wait for others no longer than a window', async () => {
      await wait([taking('tokens', 10 * MINUTE_MS)])
      expect(await wait([taking('tokens', 1_000)])).toBeLessThanOrEqual(MINUTE_MS + 1_000)
    })

    it('are counted, by each limit, for all to know', async () => {
      const other = await another()
      await limits().draw('a', [taking('requests', 400), taking('tokens', 60_000)])
      await other.draw('a', [taking('requests', 300)])
      const { drawn } = await limits().draw('a', [taking('requests', -100)])
      expect(drawn).toEqual([{ kind: 'requests', windowMs: MINUTE_MS, drawn: 6 }])
      expect((await other.known('a')).map((one) => [one.kind, one.drawn])).toEqual([
        ['requests', 6],
        ['tokens', 600],
      ])
    })

    it('are all there when many draw at the same time', async () => {
      const others = await Promise.all(Array.from({ length: 3 }, another))
      const both = [taking('tokens', 200), taking('requests', 400)]
      const asked = [...others, ...others, ...others, ...others].map((from, n) =>
        wait(n % 2 === 0 ? both : both.toReversed(), from),
      )
      const waits = (await Promise.all(asked)).toSorted((a, b) => a - b)
      // One after the other, and each is told its own place.
      expect(new Set(waits).size).toBe(12)
      expect(waits.at(-1)).toBeLessThanOrEqual(12 * 400)
      expect((await limits().known('a')).map(({ drawn }) => drawn)).toEqual([12 * 4, 12 * 2])
    })
  })

  describe('what is known', () => {
    const known = async (account = 'a') =>
      (await limits().known(account)).map(({ kind, given, learned }) => [kind, given, learned?.limit ?? null])

    it('is the smallest limit that is given, for as long as somebody says it', async () => {
      expect(await known()).toEqual([])
      await limits().give('a', [perMinute('requests', 600), perMinute('tokens', 60_000)])
      await (await another()).give('a', [perMinute('requests', 300)])
      await limits().give('a', [perMinute('requests', 600)])
      expect(await known()).toEqual([
        ['requests', 300, null],
        ['tokens', 60_000, null],
      ])
      await under().pass(GIVEN_FOR_MS)
      expect((await known()).map(([, given]) => given)).toEqual([null, null])
      await limits().give('a', [perMinute('requests', 600)])
      expect((await known())[0]).toEqual(['requests', 600, null])
      expect(await known('b')).toEqual([])
    })

    it('is the latest that was learned of the provider, how, and by whom', async () => {
      await limits().learn('a', [said('requests', 600), said('tokens', 60_000)], 'box-1')
      await (await another()).learn('a', [{ ...said('requests', 300), how: 'found' }], 'box-2')
      const [requests, tokens] = await limits().known('a')
      expect(requests).toMatchObject({ given: null, learned: { limit: 300, how: 'found', by: 'box-2' } })
      expect(tokens).toMatchObject({ given: null, learned: { limit: 60_000, how: 'said', by: 'box-1' } })
      expect(tokens?.learned?.agoMs).toBeGreaterThanOrEqual(requests?.learned?.agoMs as number)
      expect(requests?.learned?.atMs).toBeGreaterThanOrEqual(tokens?.learned?.atMs as number)
    })

    it('does not touch what was drawn', async () => {
      await wait([taking('requests', 30_000)])
      await limits().learn('a', [said('requests', 600)], 'box')
      await limits().give('a', [perMinute('requests', 500)])
      expect(await wait([taking('requests', 0)])).toBeGreaterThan(29_000)
      expect(await known()).toEqual([['requests', 500, 600]])
    })
  })
}
