import type { Runtime } from '../runtime.ts'
import type { Demand, GivenLimits } from './demand.ts'
import { createFleetAccount, type FleetAccount } from './fleet-account.ts'
import type { FleetLimits } from './fleet-limits.ts'
import type { Share } from './share.ts'

export interface FleetShareOptions {
  readonly runtime: Runtime
  readonly fleet: FleetLimits
  /** Names this process to the others. */
  readonly by: string
  /** Hears why something did not get through to the fleet; it is tried again. */
  readonly onFailure: (error: unknown) => void
}

/** What the others have learned is in force here after this long at the latest, and the time that it takes to read it. */
const BEAT_MS = 500

/**
 * The share that a process has in limits which a whole fleet draws on. It takes from what it has drawn ahead, a tenth of a second's worth and the
 * next request, in one statement for all who wait in it; what it has not used when it dies is all that is lost with it. While the fleet's place is
 * away nothing more is drawn, and `take` says no.
 */
export function createFleetShare(options: FleetShareOptions): Share {
  const { runtime, fleet, by, onFailure } = options
  const accounts = new Map<string, FleetAccount>()
  const listeners = new Set<(account: string) => void>()
  /** Accounts that keep up with the fleet, and how to call off the next beat of each. */
  const beating = new Map<FleetAccount, () => void>()
  let isClosed = false

  const beat = async (account: FleetAccount) => {
    const goesOn = await account.beat()
    if (isClosed) return
    if (goesOn)
      beating.set(
        account,
        runtime.after(BEAT_MS, () => void beat(account)),
      )
    else beating.delete(account)
  }
  const awake = (account: FleetAccount) => {
    if (isClosed || beating.has(account)) return
    beating.set(account, () => undefined)
    void beat(account)
  }
  const of = (name: string): FleetAccount => {
    const known = accounts.get(name)
    if (known !== undefined) return known
    const onRoom = () => {
      for (const listener of [...listeners]) listener(name)
    }
    const account = createFleetAccount({ runtime, name, fleet, by, onRoom, onFailure })
    accounts.set(name, account)
    return account
  }

  return Object.freeze({
    take: (name: string, demand: Demand) => {
      const account = of(name)
      const draw = account.take(demand)
      awake(account)
      return draw
    },
    limit: (name: string, limits: GivenLimits) => {
      const account = of(name)
      account.limit(limits)
      awake(account)
    },
    state: (name: string) => of(name).state(),
    unsaturatedMs: (name: string) => of(name).speed.unsaturatedMs(),
    measured: (name: string, ms: number, byAll: boolean) => of(name).speed.measured(ms, byAll),
    forgive: (name: string) => of(name).forgive(),
    onRoom(listener: (account: string) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      isClosed = true
      for (const callOff of beating.values()) callOff()
      for (const account of accounts.values()) account.close()
    },
  })
}
