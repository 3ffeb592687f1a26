import type { Runtime } from '../runtime.ts'
import type { FleetKnown, FleetLimits } from './fleet-limits.ts'

/** What the workers of a fleet tell each other of how long an account's answers take while its server is not saturated. */
export interface FleetSpeed {
  /** In ms; `null`: nobody else has said anything lately, so that this process is by itself. */
  unsaturatedMs(): number | null
  measured(ms: number, byAll: boolean): void
  hear(known: readonly FleetKnown[]): void
  /** Says what was measured here, where it is worth a word. Rejects where the fleet's place is away. */
  tell(): Promise<void>
}

/** The name under which it is kept beside the limits. Who does not know it leaves it alone. */
const WORD = Object.freeze({ kind: 'latency', windowMs: 1 })
/** A word counts for so long: all look twice a minute, and may miss it now and then. */
const COUNTS_MS = 120_000
/** Words of one look come within this time; of these the smallest counts. */
const ONE_LOOK_MS = 15_000
/** Smaller by this it is another word. */
const SMALLER = 0.97
/** It rises by this at a time: one who was not there when all looked may have been in the way. */
const RISE = 2

/** `by` names this process to the others. */
export function createFleetSpeed(options: {
  readonly runtime: Pick<Runtime, 'elapsed'>
  readonly account: string
  readonly fleet: Pick<FleetLimits, 'learn'>
  readonly by: string
}): FleetSpeed {
  const { runtime, account, fleet, by } = options
  let heard: { readonly ms: number; readonly sinceMs: number } | null = null
  let own: { readonly ms: number; readonly atMs: number; readonly byAll: boolean } | null = null
  /** When another process was last heard. */
  let othersMs = Number.NEGATIVE_INFINITY

  const isNews = ({ ms, atMs, byAll }: NonNullable<typeof own>) => {
    if (runtime.elapsed() - atMs > ONE_LOOK_MS) return false
    if (heard === null || ms < heard.ms * SMALLER) return true
    return byAll && atMs - heard.sinceMs > ONE_LOOK_MS
  }

  return Object.freeze({
    unsaturatedMs() {
      const nowMs = runtime.elapsed()
      if (heard === null || nowMs - othersMs > COUNTS_MS || nowMs - heard.sinceMs > COUNTS_MS) return null
      return heard.ms
    },
    measured(ms: number, byAll: boolean) {
      own = { ms, atMs: runtime.elapsed(), byAll }
    },
    hear(known: readonly FleetKnown[]) {
      const word = known.find(({ kind, windowMs }) => kind === WORD.kind && windowMs === WORD.windowMs)?.learned
      if (word == null) return
      const sinceMs = runtime.elapsed() - word.agoMs
      if (word.by !== by) othersMs = Math.max(othersMs, sinceMs)
      heard = { ms: word.limit, sinceMs }
    },
    async tell() {
      if (own === null || !isNews(own)) return
      const ms = Math.max(1, Math.round(Math.min(own.ms, (heard?.ms ?? own.ms) * RISE)))
      own = null
      await fleet.learn(account, [{ ...WORD, limit: ms, how: 'measured' }], by)
    },
  })
}
