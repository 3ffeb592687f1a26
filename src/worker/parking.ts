import { type HeldChunk, type RowTask, staysHere } from './held-chunk.ts'

/** After this a chunk is looked at again whose rows wait for others; each time it waits twice as long. */
const FIRST_WAIT_MS = 250
/** Others answer live; after so many looks they are rather in a batch. */
const LONGEST_LIVE_WAIT_MS = 5_000
const LIVE_LOOKS = 24
/** Others are in a batch. */
const LONGEST_WAIT_MS = 5 * 60_000

/**
 * Rows that wait for rows which another worker asks. They hold up nobody: their chunk finishes its other rows, and is then parked until its message
 * comes again.
 */
export interface Parking {
  wait(tasks: readonly RowTask[]): void
  /** To be called when a row of the chunk has ended: parks it where all that are left wait. */
  check(held: HeldChunk): void
  /** The chunk has gone. */
  leave(held: HeldChunk): void
}

interface ParkingPartners {
  /** Resolves when what was written so far is durable. */
  readonly flush: () => Promise<void>
  /** Looks again how the rows stand; those that still wait come back by `wait`. */
  readonly look: (tasks: readonly RowTask[]) => Promise<void>
  /** Gives the chunk back, to come again after `ms`. */
  readonly park: (held: HeldChunk, ms: number) => Promise<void>
  readonly onDefect: (error: unknown) => void
}

/** Creates the parking of one worker. */
export function createParking({ flush, look, park, onDefect }: ParkingPartners): Parking {
  /** `open`: rows of the chunk without outcome when these were last looked at. */
  const waiting = new Map<HeldChunk, { readonly tasks: readonly RowTask[]; readonly open: number }>()
  const settling = new Set<HeldChunk>()

  const onlyWaits = (held: HeldChunk) => {
    const rows = waiting.get(held)
    return rows !== undefined && rows.tasks.length >= held.open && staysHere(held) ? rows : null
  }
  const settle = async (held: HeldChunk) => {
    for (let rows = onlyWaits(held); rows !== null; rows = onlyWaits(held)) {
      if (rows.open === held.open) {
        await flush()
        if (onlyWaits(held) !== null) await park(held, waitMs(held))
        return
      }
      // Time has passed over the chunk's other rows.
      waiting.delete(held)
      await look(rows.tasks)
    }
  }
  const check = (held: HeldChunk) => {
    if (settling.has(held) || onlyWaits(held) === null) return
    settling.add(held)
    settle(held)
      .finally(() => settling.delete(held))
      .then(() => check(held))
      .catch(onDefect)
  }

  return Object.freeze({
    wait(tasks: readonly RowTask[]) {
      for (const [held, rows] of Map.groupBy(tasks, (task) => task.held)) {
        waiting.set(held, { tasks: [...(waiting.get(held)?.tasks ?? []), ...rows], open: held.open })
        check(held)
      }
    },
    check,
    leave: (held: HeldChunk) => void waiting.delete(held),
  })
}

/** For how long a chunk is parked that only waits. The epoch says how often it has been taken up. */
export function waitMs({ run, claim: { epoch } }: HeldChunk): number {
  const longest = run.batch === null && epoch <= LIVE_LOOKS ? LONGEST_LIVE_WAIT_MS : LONGEST_WAIT_MS
  return Math.min(longest, FIRST_WAIT_MS * 2 ** (epoch - 1))
}
