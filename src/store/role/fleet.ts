import type { ChunkRef } from '../../domain/chunk.ts'
import type { JobState, Wanted } from '../../domain/job.ts'

/** A member that was not heard of for this long, by the database's clock, is taken for dead. It beats once a second. */
export const GONE_AFTER_MS = 10_000

/** Tasks of which a fleet has one holder at a time. */
export type Role = 'janitor' | 'reconciler' | 'batcher' | 'notifier' | 'watcher' | 'openai'

/** A worker, as it says of itself. */
export interface Member {
  readonly workerId: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** The one job that it works on; `null`: any. */
  readonly jobNo: number | null
  /** Chunks that it holds at the most. */
  readonly chunks: number
  /** Requests in flight at the most, over all jobs; `null`: as the jobs say. */
  readonly concurrency: number | null
}

/** A worker as the others see it. */
export interface MemberSeen extends Member {
  readonly startedAtMs: number
  /** How long ago it was heard of, by the database's clock. */
  readonly silentMs: number
  readonly gone: boolean
}

/** What a member learns when it says that it lives. */
export interface Heard {
  /** How long it had been silent; `null`: nobody knew it any more, and it has to join again. */
  readonly silentMs: number | null
  /** What somebody wants its concurrency to be; said once. */
  readonly wantedConcurrency: number | null
}

export interface RoleHeld {
  readonly role: Role
  readonly workerId: string
  readonly sinceMs: number
}

/** A chunk in somebody's hands. */
export interface ChunkHeld extends ChunkRef {
  readonly owner: string
  /** Since when, by the database's clock; `null`: an older version of sluice did not say. */
  readonly leasedAtMs: number | null
}

/** A job that is to be worked on, or of which something is wanted. */
export interface ActiveJob {
  readonly jobNo: number
  readonly round: number
  readonly state: JobState
  readonly wanted: Wanted | null
}

/** How many jobs of a tenant stand in a state in which there is work to do. */
export interface JobsStanding {
  readonly tenantNo: number
  readonly state: JobState
  readonly jobs: number
}

/** Who works on this database, on which machine, and what each has in hand. All times are the database's. */
export interface Fleet {
  /** Says that a worker is there; again: with what it says now. */
  join(member: Member): Promise<void>
  /** Says that it still lives, with its concurrency as it is now. */
  beat(workerId: string, concurrency: number | null): Promise<Heard>
  /** Takes a worker off the list, and its roles from it. */
  leave(workerId: string): Promise<void>
  /** Oldest first, those taken for dead included until somebody forgets them. */
  members(): Promise<readonly MemberSeen[]>
  /** Whether the worker was not heard of for `GONE_AFTER_MS`, or has left, or never was here. */
  isGone(workerId: string): Promise<boolean>
  /** Takes those off the list who were silent for longer than `silentMs`. Returns how many. */
  forget(silentMs: number): Promise<number>
  /** Asks a worker to change its concurrency. `false`: there is none of that name that lives. */
  wantConcurrency(workerId: string, concurrency: number): Promise<boolean>
  /**
   * Takes a role for `forMs`, or keeps it for as long again. `false`: somebody else holds it. A role whose time ran out is free: of all who ask
   * at once, one gets it.
   */
  holdRole(role: Role, workerId: string, forMs: number): Promise<boolean>
  dropRole(role: Role, workerId: string): Promise<void>
  /** Roles whose time has not run out. */
  roles(): Promise<readonly RoleHeld[]>
  /** Chunks that are leased now, of all jobs or of one, longest first, at most `limit`. */
  holders(limit: number, jobNo?: number): Promise<readonly ChunkHeld[]>
  /** Jobs of all tenants of which something is wanted and not done yet, oldest first. */
  wished(limit: number): Promise<readonly ActiveJob[]>
  /** Jobs of all tenants that are queued, running or finalizing, after `afterJobNo`, oldest first. */
  active(afterJobNo: number, limit: number): Promise<readonly ActiveJob[]>
  /** The same jobs, counted by tenant and state. */
  standing(): Promise<readonly JobsStanding[]>
}
