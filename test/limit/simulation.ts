import { createAdaptiveGovernor } from '../../src/limit/adaptive.ts'
import { type GivenLimits, NO_LIMITS } from '../../src/limit/demand.ts'
import type { Governor, GovernorState } from '../../src/limit/governor.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import { modelledProvider, type ProviderModel, type Reply, type Size, slotResultOf } from './modelled-provider.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

export const ACCOUNT = 'provider/model'

/** One request of a simulation. */
export interface Sent {
  readonly atMs: number
  readonly reply: Reply
}

export interface Simulation {
  readonly clock: VirtualClock
  readonly governor: Governor
  /** All requests so far, in the order in which they were sent. */
  readonly sent: readonly Sent[]
  run(ms: number): void
  state(): GovernorState
}

export interface SimulationOptions extends ProviderModel {
  readonly seed?: number
  readonly max?: number
  readonly given?: Partial<GivenLimits>
  /** How large the nth request is. @default unequal rows */
  readonly sizeOf?: (n: number, random: () => number) => Size
}

/** A worker that always has a row more to send, a governor, and a modelled provider, on a virtual clock. */
export function simulation(options: SimulationOptions): Simulation {
  const clock = virtualClock(options.seed)
  const share = createOwnShare(clock)
  const governor = createAdaptiveGovernor({ runtime: clock, share, defaultMax: options.max ?? 64 })
  governor.bound(ACCOUNT, { concurrency: options.max ?? 64, limits: { ...NO_LIMITS, ...options.given } })
  const ask = modelledProvider(clock, options)
  const sizeOf = options.sizeOf ?? unequalRow
  const sent: Sent[] = []
  let next = sizeOf(0, clock.random)

  const send = (): boolean => {
    const bound = { worstInputTokens: next.bytes, worstOutputTokens: next.maxOutput }
    const slot = governor.take(ACCOUNT, { group: 'job', ...bound })
    if (slot === null) return false
    const reply = ask(next)
    sent.push({ atMs: clock.elapsed(), reply })
    next = sizeOf(sent.length, clock.random)
    clock.after(reply.tookMs, () => {
      slot.release(slotResultOf(reply))
    })
    return true
  }
  const pump = () => {
    while (send());
  }
  governor.onRoom(pump)
  clock.after(0, pump)
  return { clock, governor, sent, run: (ms) => clock.run(ms), state: () => governor.state(ACCOUNT) }
}

/** Most rows are short, some are long; answers are of a few lengths, below what was asked for at the most. */
export function unequalRow(_n: number, random: () => number): Size {
  const inputTokens = Math.round(60 + 140 * -Math.log(1 - random()))
  return { bytes: inputTokens * 4 + 60, inputTokens, outputTokens: 20 + Math.floor(random() * 120), maxOutput: 200 }
}

/** What was sent between two times. */
export function between(sent: readonly Sent[], fromMs: number, toMs: number): readonly Sent[] {
  return sent.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
}

/** Answered requests a minute. */
export function answeredPerMinute(sent: readonly Sent[], fromMs: number, toMs: number): number {
  const answered = between(sent, fromMs, toMs).filter(({ reply }) => reply.status === 200)
  return (answered.length * 60_000) / (toMs - fromMs)
}

/** Tokens a minute that the provider took from its bucket. */
export function tokensPerMinute(sent: readonly Sent[], fromMs: number, toMs: number): number {
  const taken = between(sent, fromMs, toMs).reduce((sum, { reply }) => sum + reply.taken, 0)
  return (taken * 60_000) / (toMs - fromMs)
}

/** The share of 429s. */
export function refusedShare(sent: readonly Sent[], fromMs: number, toMs: number): number {
  const here = between(sent, fromMs, toMs)
  return here.filter(({ reply }) => reply.status === 429).length / here.length
}
