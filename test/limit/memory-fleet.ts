import type { FleetDraw, FleetKnown, FleetLimits } from '../../src/limit/fleet-limits.ts'
import type { Runtime } from '../../src/runtime.ts'

const GIVEN_FOR_MS = 10_000

interface Row {
  kind: string
  windowMs: number
  drawn: number
  paidToMs: number
  given: { readonly limit: number; readonly atMs: number } | null
  learned: { readonly limit: number; readonly how: string; readonly by: string; readonly atMs: number } | null
}

/** What a fleet keeps together, in the memory of a test: as the store's, by the test's clock. */
export interface MemoryFleet extends FleetLimits {
  /** While it is away, every verb rejects. */
  isAway: boolean
  /** How many draws were made. */
  readonly draws: number
}

/** A fleet that nobody has drawn on. `delayMs`: how long a statement takes. */
export function memoryFleet(runtime: Runtime, delayMs = 0): MemoryFleet {
  const rows = new Map<string, Row>()
  const of = (account: string, { kind, windowMs }: { readonly kind: string; readonly windowMs: number }): Row => {
    const key = `${account} ${kind} ${windowMs}`
    const known = rows.get(key)
    if (known !== undefined) return known
    const row = { kind, windowMs, drawn: 0, paidToMs: Number.NEGATIVE_INFINITY, given: null, learned: null }
    rows.set(key, row)
    return row
  }
  const fleet = {
    isAway: false,
    draws: 0,
    async draw(account: string, draws: readonly FleetDraw[]) {
      await reach()
      fleet.draws += 1
      const now = runtime.elapsed()
      const owed = draws.map((draw) => {
        const row = of(account, draw)
        const begin = Math.min(Math.max(row.paidToMs, now - draw.creditUs / 1000), now + row.windowMs)
        row.paidToMs = begin + draw.costUs / 1000
        row.drawn += draw.amount
        return row.paidToMs - now
      })
      const drawn = draws.map((draw) => ({ ...draw, drawn: of(account, draw).drawn }))
      return { waitMs: Math.max(0, ...owed), drawn }
    },
    async give(account: string, limits: Parameters<FleetLimits['give']>[1]) {
      await reach()
      const atMs = runtime.elapsed()
      for (const { limit, ...of_ } of limits) {
        const row = of(account, of_)
        const stands = row.given !== null && atMs - row.given.atMs < GIVEN_FOR_MS
        if (!stands || limit <= (row.given?.limit ?? 0)) row.given = { limit, atMs }
      }
    },
    async learn(account: string, limits: Parameters<FleetLimits['learn']>[1], by: string) {
      await reach()
      for (const { limit, how, ...of_ } of limits)
        of(account, of_).learned = { limit, how, by, atMs: runtime.elapsed() + rows.size }
    },
    async known(account: string): Promise<readonly FleetKnown[]> {
      await reach()
      const now = runtime.elapsed()
      return [...rows].flatMap(([key, { kind, windowMs, drawn, given, learned }]) => {
        if (!key.startsWith(`${account} `)) return []
        const isGiven = given !== null && now - given.atMs < GIVEN_FOR_MS
        return [
          {
            kind,
            windowMs,
            drawn,
            given: isGiven ? given.limit : null,
            learned: learned && { ...learned, agoMs: Math.max(0, now - learned.atMs) },
          },
        ]
      })
    },
  }
  const reach = async () => {
    if (delayMs > 0) await runtime.sleep(delayMs)
    if (fleet.isAway) throw new Error('away')
  }
  return fleet
}
