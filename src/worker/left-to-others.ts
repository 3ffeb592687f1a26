import type { Member } from '../store/role/fleet.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** For how long a worker lets others try what it has not the key for, before it looks again. */
export const LEFT_MS = 30_000

/** So many looks in a row, ten minutes at the least, find nobody at work on a job before it is known that nobody has the key: who has it may be full. */
export const EMPTY_LOOKS = 20

/** Chunks of a job in somebody's hands that are looked through at the most. */
const HELD_MOST = 1_000

/** Jobs that a worker has not the means for, and which others of its fleet may have. */
export interface LeftToOthers {
  /**
   * Whether a job is to be left to the others: as long as one of them that may take it is there, and of `EMPTY_LOOKS` looks in a row, `LEFT_MS` apart,
   * one has found that somebody holds a chunk of it, or brought it on since the look before, or that parts of it are out in batches. `false`: there is
   * nobody else, or none of them can, and whoever waits for the job is to be told.
   */
  leave(jobNo: number): Promise<boolean>
}

/** What was seen of a job when it was last looked at. */
interface Look {
  readonly atMs: number
  /** What of the job was done. */
  readonly done: string
  /** Looks up to this one that have found nobody at work on it. */
  readonly empty: number
}

/** Creates the list of one worker, with nothing on it. */
export function createLeftToOthers(deps: WorkerDeps, guard: StorageGuard): LeftToOthers {
  const { store, runtime, workerId } = deps
  const looks = new Map<number, Look>()
  const mayTake = (member: Member, jobNo: number) => member.jobNo === null || member.jobNo === jobNo

  const isAnybodyElseThere = async (jobNo: number) => {
    const members = await store.fleet.members()
    return members.some((one) => one.workerId !== workerId && !one.gone && mayTake(one, jobNo))
  }

  const isInOtherHands = async (jobNo: number) => {
    const held = await store.fleet.holders(HELD_MOST, jobNo)
    if (held.some(({ owner }) => owner !== workerId)) return true
    const { packed, placed, answered, shards } = await store.batches.outstanding(jobNo)
    return packed + placed + answered > 0 || shards.length > 0
  }

  const look = async (jobNo: number, before: Look | undefined): Promise<Look> => {
    const { counters, chunksDone } = await store.jobs.progress(jobNo)
    const done = JSON.stringify([chunksDone, counters])
    const atMs = runtime.now()
    // Between the looks at one that did not come by for long, anything may have happened.
    if (before === undefined || atMs - before.atMs >= EMPTY_LOOKS * LEFT_MS) return { atMs, done, empty: 0 }
    const isEmpty = done === before.done && !(await isInOtherHands(jobNo))
    return { atMs, done, empty: isEmpty ? before.empty + 1 : 0 }
  }

  return Object.freeze({
    async leave(jobNo: number) {
      if (!(await guard.persist(() => isAnybodyElseThere(jobNo)))) return false
      const before = looks.get(jobNo)
      if (before !== undefined && runtime.now() - before.atMs < LEFT_MS) return true
      const seen = await guard.persist(() => look(jobNo, before))
      if (seen.empty < EMPTY_LOOKS) looks.set(jobNo, seen)
      else looks.delete(jobNo)
      return seen.empty < EMPTY_LOOKS
    },
  })
}
