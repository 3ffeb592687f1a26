import { StorageFailure } from '../domain/storage-failure.ts'
import type { Runtime } from '../runtime.ts'
import type { Fleet, Role } from '../store/role/fleet.ts'

/** For how long a role is held without being renewed: after its holder's death it is free no later than this. */
export const ROLE_MS = 10_000
/** How much earlier than the store a holder itself takes its role for over: so long a turn at work may take to stop. */
const LET_GO_MS = 1_000
/** How often a holder renews its role, and the others ask for it. */
const ASK_MS = 2_000
/** How soon a holder that has nothing to do sees that its role is over. */
const SHORT_MS = 250

/** Work of which a fleet needs one at a time. */
export interface Duty {
  readonly role: Role
  /** The pause after each turn of the work. */
  readonly everyMs: number
  /** One turn. It must be harmless to repeat, and stop within a second once `holds` says no: after that somebody else may begin. */
  readonly work: (holds: () => boolean) => Promise<void>
}

interface DutyDeps {
  readonly fleet: Fleet
  readonly runtime: Runtime
  readonly workerId: string
  /** Hears of each change: a role was taken up, or was lost or laid down. */
  readonly onRole: (role: Role, held: boolean) => void
  /** Hears what went wrong; the duty's next turn comes all the same. */
  readonly onFailure: (role: Role, error: unknown) => void
}

/**
 * Takes part in the fleet's duties until `ended` aborts: does each while it holds the role, and stands by for it otherwise. A store that fails
 * for a while ends nothing.
 */
export async function serveDuties(deps: DutyDeps, duties: readonly Duty[], ended: AbortSignal): Promise<void> {
  await Promise.all(duties.map((duty) => serve(deps, duty, ended)))
}

async function serve(deps: DutyDeps, duty: Duty, ended: AbortSignal): Promise<void> {
  const { fleet, runtime, workerId, onRole } = deps
  const { role } = duty
  let heldUntilMs = Number.NEGATIVE_INFINITY
  const holds = () => !ended.aborted && runtime.elapsed() < heldUntilMs
  let term: Promise<void> | null = null
  while (!ended.aborted) {
    // From before it was asked: the database counts from later.
    const askedMs = runtime.elapsed()
    const held = await unlessAway(() => fleet.holdRole(role, workerId, ROLE_MS))
    if (held === true) heldUntilMs = askedMs + ROLE_MS - LET_GO_MS
    if (held === false) heldUntilMs = Number.NEGATIVE_INFINITY
    if (holds() && term === null) {
      onRole(role, true)
      term = turns(deps, duty, holds).finally(() => {
        term = null
        onRole(role, false)
      })
    }
    await runtime.sleep(ASK_MS, ended).catch(() => undefined)
  }
  await term
  await unlessAway(() => fleet.dropRole(role, workerId))
}

async function turns({ runtime, onFailure }: DutyDeps, duty: Duty, holds: () => boolean): Promise<void> {
  while (holds()) {
    await unlessAway(() => duty.work(holds)).catch((error: unknown) => onFailure(duty.role, error))
    // In short steps: the role may go meanwhile.
    const untilMs = runtime.elapsed() + duty.everyMs
    while (holds() && runtime.elapsed() < untilMs) await runtime.sleep(Math.min(SHORT_MS, duty.everyMs))
  }
}

/** What the store says, or `null` while it cannot be reached. */
async function unlessAway<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof StorageFailure) return null
    throw error
  }
}
