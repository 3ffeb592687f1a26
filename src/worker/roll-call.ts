import type { Events } from '../events.ts'
import type { Runtime } from '../runtime.ts'
import { type Fleet, GONE_AFTER_MS, type Member } from '../store/role/fleet.ts'

/** Who was not heard for this long itself cannot tell whether the others were silent, or nobody was heard: the database was away, say. */
const OWN_SILENCE_MS = 3_000

/** Who of the fleet lives, as this process can tell. */
export interface RollCall {
  /** Puts a worker of this process on the fleet's list. */
  join(worker: Joining): Promise<Membership>
  /**
   * Whether a worker is dead: not heard of for `GONE_AFTER_MS` by the database's clock. A process that was itself not heard for a while says no
   * for as long again, so that a database that comes back does not make the first one to reach it declare all others dead.
   */
  isGone(workerId: string): Promise<boolean>
}

/** A worker that joins. */
export interface Joining {
  readonly member: Member
  /** Its concurrency as it is now. */
  readonly concurrency: () => number | null
  /** Hears what somebody wants it to be. */
  readonly onWish: (concurrency: number) => void
}

/** A worker's place on the list. */
export interface Membership {
  /** Says that it lives. Where the others have taken it off the list meanwhile, it is put there again. */
  beat(): Promise<void>
  leave(): Promise<void>
}

/** Creates the roll call of one process. */
export function createRollCall(deps: {
  readonly fleet: Fleet
  readonly runtime: Pick<Runtime, 'elapsed'>
  readonly events: Events
}): RollCall {
  const { fleet, runtime, events } = deps
  let judgesFromMs = Number.NEGATIVE_INFINITY

  return Object.freeze({
    async join({ member, concurrency, onWish }: Joining) {
      await fleet.join(member)
      let heardMs = runtime.elapsed()
      return Object.freeze({
        async beat() {
          const heard = await fleet.beat(member.workerId, concurrency())
          if (heard.silentMs === null) await fleet.join({ ...member, concurrency: concurrency() })
          const nowMs = runtime.elapsed()
          if (nowMs - heardMs > OWN_SILENCE_MS) judgesFromMs = nowMs + GONE_AFTER_MS
          heardMs = nowMs
          if (heard.silentMs === null || heard.silentMs >= GONE_AFTER_MS)
            events.emit('worker.lapsed', { workerId: member.workerId, silentMs: heard.silentMs })
          if (heard.wantedConcurrency !== null) onWish(heard.wantedConcurrency)
        },
        leave: () => fleet.leave(member.workerId),
      })
    },
    isGone: async (workerId: string) => runtime.elapsed() >= judgesFromMs && (await fleet.isGone(workerId)),
  })
}
