import type { SendableRow } from './row-tally.ts'

/** A row drawn for the pilot. */
export interface DrawnRow {
  readonly id: string
  readonly requestHash: string
  readonly bytes: number
}

/** Draws rows evenly from those that are offered, of whatever number. */
export interface PilotDraw {
  offer(row: SendableRow, weight: number): void
  /** In the order of the input. */
  drawn(): readonly DrawnRow[]
}

/** Draws `n` rows: a reservoir in which a row may stand for several (Chao 1982, Biometrika 69, 653). */
export function createPilotDraw(n: number, random: () => number): PilotDraw {
  const reservoir: (DrawnRow & { readonly index: number })[] = []
  let offered = 0
  return Object.freeze({
    offer({ row, sendable, bytes }: SendableRow, weight: number) {
      offered += weight
      const full = reservoir.length >= n
      if (full && random() >= (n * weight) / offered) return
      const place = full ? Math.floor(random() * n) : reservoir.length
      reservoir[place] = { id: row.id, index: row.index, requestHash: sendable.requestHash, bytes }
    },
    drawn: () => reservoir.toSorted((a, b) => a.index - b.index),
  })
}
