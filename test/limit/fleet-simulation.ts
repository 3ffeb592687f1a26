import { createAdaptiveGovernor } from '../../src/limit/adaptive.ts'
import { type GivenLimits, NO_LIMITS } from '../../src/limit/demand.ts'
import { createFleetShare } from '../../src/limit/fleet-share.ts'
import type { Governor } from '../../src/limit/governor.ts'
import type { LimitInForce } from '../../src/limit/share.ts'
import { type MemoryFleet, memoryFleet } from './memory-fleet.ts'
import { modelledProvider, type ProviderModel, slotResultOf } from './modelled-provider.ts'
import { ACCOUNT, type Sent, unequalRow } from './simulation.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

/** A worker of a simulated fleet. */
export interface SimulatedWorker {
  readonly governor: Governor
  /** What it sent. */
  readonly sent: readonly Sent[]
  limits(): readonly LimitInForce[]
  /** It dies without a word: what it has in flight is never heard of again. */
  kill(): void
}

export interface FleetSimulation {
  readonly clock: VirtualClock
  readonly fleet: MemoryFleet
  /** All requests of all workers, in the order in which they were sent. */
  readonly sent: readonly Sent[]
  /** Starts a worker that always has a row more to send; `rows`: only so many. */
  start(options?: { readonly given?: Partial<GivenLimits>; readonly rows?: number }): SimulatedWorker
  run(ms: number): Promise<void>
}

/** How long a statement takes. */
const STATEMENT_MS = 3

/** Workers that share one account of a modelled provider, on a virtual clock. */
export function fleetSimulation(
  options: ProviderModel & { readonly seed?: number; readonly max?: number },
): FleetSimulation {
  const clock = virtualClock(options.seed)
  const fleet = memoryFleet(clock, STATEMENT_MS)
  const ask = modelledProvider(clock, options)
  const sent: Sent[] = []
  const max = options.max ?? 64
  let workers = 0

  const start: FleetSimulation['start'] = ({ given = {}, rows = Number.POSITIVE_INFINITY } = {}) => {
    workers += 1
    const own: Sent[] = []
    const share = createFleetShare({
      runtime: clock,
      fleet,
      by: `worker ${workers}`,
      onFailure(error) {
        if (!fleet.isAway) throw error
      },
    })
    const governor = createAdaptiveGovernor({ runtime: clock, share, defaultMax: max })
    let isDead = false
    let next = unequalRow(0, clock.random)
    const send = (): boolean => {
      if (isDead || own.length >= rows) return false
      const size = { group: 'job', worstInputTokens: next.bytes, worstOutputTokens: next.maxOutput }
      const slot = governor.take(ACCOUNT, size)
      if (slot === null) return false
      const reply = ask(next)
      const request = { atMs: clock.elapsed(), reply }
      own.push(request)
      sent.push(request)
      next = unequalRow(own.length, clock.random)
      clock.after(reply.tookMs, () => {
        if (isDead) return
        slot.release(slotResultOf(reply))
      })
      return true
    }
    const pump = () => {
      while (send());
    }
    governor.onRoom(pump)
    /** As a worker's heartbeat does. */
    const beat = () => {
      if (isDead) return
      governor.bound(ACCOUNT, { concurrency: max, limits: { ...NO_LIMITS, ...given } })
      pump()
      clock.after(1_000, beat)
    }
    clock.after(0, beat)
    const kill = () => {
      isDead = true
      governor.close()
      share.close()
    }
    return { governor, sent: own, kill, limits: () => share.state(ACCOUNT).limits }
  }
  return {
    clock,
    fleet,
    sent,
    start,
    run: (ms) => runSlowly(clock, ms),
  }
}

/** Lets time pass by the millisecond, so that whatever waits for a statement goes on at the time that it is. */
export async function runSlowly(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1) {
    clock.run(1)
    await new Promise(setImmediate)
  }
}
