import type { Member } from '../store/role/fleet.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** For how long a worker lets others try what it has not the key for, before it looks again. */
export const LEFT_MS = 30_000

/** Chunks in somebody's hands that are looked through at the most. */
const HELD_MOST = 1_000

/** Jobs that a worker has not the means for, and which others of its fleet may have. */
export interface LeftToOthers {
  /**
   * Whether a job is to be left to the others: they have `LEFT_MS` to begin with it, and as long as one of them works on it. `false`: there is nobody
   * else, or none of them can, and whoever waits for the job is to be told.
   */
  leave(jobNo: number): Promise<boolean>
}

/** Creates the list of one worker, with nothing on it. */
export function createLeftToOthers(deps: WorkerDeps, guard: StorageGuard): LeftToOthers {
  const { store, runtime, workerId } = deps
  const sinceMs = new Map<number, number>()
  const mayTake = (member: Member, jobNo: number) => member.jobNo === null || member.jobNo === jobNo
  return Object.freeze({
    async leave(jobNo: number) {
      const members = await guard.persist(() => store.fleet.members())
      const others = members.filter((one) => one.workerId !== workerId && !one.gone && mayTake(one, jobNo))
      if (others.length === 0) return false
      const since = sinceMs.get(jobNo)
      if (since !== undefined && runtime.now() - since < LEFT_MS) return true
      const held = since === undefined ? [] : await guard.persist(() => store.fleet.holders(HELD_MOST))
      const isBegun = held.some((chunk) => chunk.jobNo === jobNo && chunk.owner !== workerId)
      if (since !== undefined && !isBegun) {
        sinceMs.delete(jobNo)
        return false
      }
      sinceMs.set(jobNo, runtime.now())
      return true
    },
  })
}
