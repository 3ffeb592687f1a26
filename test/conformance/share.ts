import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LimitSignal } from '../../src/domain/limit-signal.ts'
import { type Demand, NO_LIMITS } from '../../src/limit/demand.ts'
import type { Draw, Share } from '../../src/limit/share.ts'

/** A share to be tried, and a clock that it goes by. */
export interface ShareKit {
  readonly share: Share
  /** Lets so much of the share's time pass. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

const ACCOUNT = 'openai/gpt'
const NOTHING: LimitSignal = { requests: null, tokens: null, inputTokens: null, outputTokens: null, retryAfterMs: null }
const one: Demand = { requests: 1, inputTokens: 100, outputTokens: 50 }
const STEP_MS = 20

/** What every share of an account's limits promises, whether one process has it for itself or a fleet shares it. */
export function describeShare(name: string, open: () => Promise<ShareKit>): void {
  describe(name, () => {
    let kit: ShareKit
    beforeEach(async () => {
      kit = await open()
    })
    afterEach(() => kit.close())

    /** Takes as soon as it may; `null`: not within `ms`. */
    const within = async (ms: number, demand = one, account = ACCOUNT): Promise<Draw | null> => {
      for (let waited = 0; ; waited += STEP_MS) {
        const draw = kit.share.take(account, demand)
        if (draw !== null || waited >= ms) return draw
        await kit.pass(STEP_MS)
      }
    }
    /** Takes all that may be taken in `ms`, and answers each at once. */
    const count = async (ms: number, account = ACCOUNT): Promise<number> => {
      let taken = 0
      for (let waited = 0; waited < ms; waited += STEP_MS) {
        for (let draw = kit.share.take(account, one); draw !== null; draw = kit.share.take(account, one)) {
          draw.end(one, { signal: null, refused: false })
          taken += 1
        }
        await kit.pass(STEP_MS)
      }
      return taken
    }
    const limit = (limits: Partial<typeof NO_LIMITS>, account = ACCOUNT) =>
      kit.share.limit(account, { ...NO_LIMITS, ...limits })

    it('lets through what no limit holds', async () => {
      const draw = await within(2_000)
      expect(draw).not.toBeNull()
      expect(kit.share.state(ACCOUNT)).toMatchObject({ limits: [], bound: null })
      draw?.end(one, null)
    })

    it('keeps to a given limit: no more than flows in beside a short burst, and not much less', async () => {
      limit({ rpm: 1_200 })
      const taken = await count(3_000)
      expect(taken).toBeLessThanOrEqual(60 + 21)
      expect(taken).toBeGreaterThan(45)
    })

    it('keeps to a given limit of tokens', async () => {
      limit({ tpm: 180_000 })
      const taken = await count(3_000)
      expect(taken).toBeLessThanOrEqual(60 + 21)
      expect(taken).toBeGreaterThan(45)
    })

    it('says which limit holds, and when asking again makes sense', async () => {
      limit({ rpm: 60 })
      const heard: string[] = []
      kit.share.onRoom((account) => heard.push(account))
      await within(2_000)
      expect(kit.share.take(ACCOUNT, one)).toBeNull()
      const { bound, untilMs } = kit.share.state(ACCOUNT)
      expect(bound).toEqual({ kind: 'requests', limit: 60, windowMs: 60_000, source: 'given' })
      expect(untilMs).not.toBeNull()
      heard.length = 0
      await kit.pass(1_500)
      expect(heard).toContain(ACCOUNT)
      expect(await within(500)).not.toBeNull()
    })

    it('takes back what was not sent', async () => {
      limit({ rpm: 60 })
      const draw = (await within(2_000)) as Draw
      expect(kit.share.take(ACCOUNT, one)).toBeNull()
      draw.end(null, null)
      expect(await within(200)).not.toBeNull()
    })

    it('has what it really was owed, or given back', async () => {
      limit({ tpm: 60_000 })
      const dear = (await within(2_000)) as Draw
      dear.end({ requests: 1, inputTokens: 3_000, outputTokens: 150 }, { signal: null, refused: false })
      expect(await within(1_000)).toBeNull()
      expect(await within(4_000)).not.toBeNull()
    })

    it('knows what is on its way', async () => {
      const draws = [(await within(2_000)) as Draw, (await within(2_000)) as Draw]
      expect(kit.share.state(ACCOUNT).inFlight).toEqual({ requests: 2, inputTokens: 200, outputTokens: 100 })
      for (const draw of draws) draw.end(one, null)
      expect(kit.share.state(ACCOUNT).inFlight).toEqual({ requests: 0, inputTokens: 0, outputTokens: 0 })
    })

    it('follows what the provider says of its limit, and of what is left', async () => {
      const draw = (await within(2_000)) as Draw
      const requests = { limit: 120, remaining: 0, resetMs: 60_000, windowMs: 60_000 }
      draw.end(one, { signal: { ...NOTHING, requests }, refused: false })
      expect(kit.share.take(ACCOUNT, one)).toBeNull()
      await kit.pass(300)
      expect(kit.share.state(ACCOUNT).limits).toEqual([
        { kind: 'requests', limit: 120, windowMs: 60_000, source: 'said' },
      ])
      expect(await within(4_000)).not.toBeNull()
    })

    it('is bound by the smaller of what is given and what is said', async () => {
      limit({ rpm: 60 })
      const draw = (await within(2_000)) as Draw
      const requests = { limit: 600, remaining: 599, resetMs: 100, windowMs: 60_000 }
      draw.end(one, { signal: { ...NOTHING, requests }, refused: false })
      await kit.pass(300)
      expect(kit.share.state(ACCOUNT).limits).toMatchObject([{ limit: 60, source: 'given' }])
      expect(await count(2_000)).toBeLessThanOrEqual(4)
    })

    it('keeps accounts apart', async () => {
      limit({ rpm: 60 })
      await within(2_000)
      expect(kit.share.take(ACCOUNT, one)).toBeNull()
      expect(await within(2_000, one, 'anthropic/claude')).not.toBeNull()
    })

    it('is ended once for each that was taken', async () => {
      const draw = (await within(2_000)) as Draw
      draw.end(one, null)
      expect(() => draw.end(one, null)).toThrow('twice')
    })
  })
}
