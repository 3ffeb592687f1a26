import type { ShardState } from './domain/batch.ts'
import type { ChunkRef } from './domain/chunk.ts'
import type { Cause } from './domain/failure.ts'
import type { Counters, JobId, JobState } from './domain/job.ts'
import type { LimitSignal } from './domain/limit-signal.ts'
import type { LimitFigure } from './domain/limit-text.ts'
import type { NanoUsd } from './domain/money.ts'
import type { LaneName, OutcomeState } from './domain/row.ts'
import type { Usage } from './domain/usage.ts'

/** Whose event it is. */
export interface OfJob {
  readonly jobNo: number
  readonly jobId: JobId
  readonly tenantNo: number
}

/** A request to a model that has ended, and is written down. */
export interface AttemptEnd extends OfJob, ChunkRef {
  readonly rowIndex: number
  readonly round: number
  /** From 1, within row and round. */
  readonly number: number
  /** `provider/model` as asked. */
  readonly model: string
  readonly lane: LaneName
  /** `null`: the answer was accepted. */
  readonly cause: Cause | null
  /** Input and output. */
  readonly tokens: number
  readonly usage: Usage
  /** `null`: the price is unknown. */
  readonly costNano: NanoUsd | null
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** The row asks again. */
  readonly again: boolean
}

/** A row that has its outcome. */
export interface RowEnd {
  readonly rowIndex: number
  readonly state: OutcomeState
  readonly cause: Cause | null
  /** Attempts that count. */
  readonly attempts: number
  readonly lane: LaneName | null
  readonly inputTokens: number
  readonly outputTokens: number
  readonly endedAtMs: number
}

/** Everything that happens in a process and that somebody may want to know. Holds no row contents and no keys. */
export interface EventMap {
  'chunk.claimed': ChunkRef & OfJob & { readonly epoch: number; readonly rows: number; readonly lost: number }
  'chunk.done': ChunkRef
  'chunk.released': ChunkRef
  /** Its epoch had passed: another worker has it. */
  'chunk.stale': ChunkRef
  /** It was given up, since its workers died over it: after the commit that made dead letters of its `rows` that had no outcome. */
  'chunk.failed': ChunkRef & OfJob & { readonly rows: number }
  /** After the commit that holds the attempt. */
  'attempt.ended': AttemptEnd
  /** After the commit that holds the outcomes. */
  'rows.ended': OfJob &
    ChunkRef & {
      readonly rows: number
      readonly delta: Counters
      readonly causes: readonly Cause[]
      /** Each of them; made when somebody asks. */
      readonly each: () => readonly RowEnd[]
    }
  /** A round of a job has come to its end in this process. */
  'job.ended': OfJob & {
    readonly round: number
    readonly state: JobState
    readonly createdAtMs: number
    readonly startedAtMs: number | null
    readonly endedAtMs: number
    readonly counters: Counters
    /** Rows that this end has cancelled: nobody else tells of them. */
    readonly cancelled: number
  }
  'limit.signal': { readonly account: string; readonly signal: LimitSignal }
  'limit.changed': { readonly account: string; readonly concurrency: number; readonly reason: string }
  'limit.wait': { readonly account: string; readonly untilMs: number; readonly cause: Cause }
  /** A request has to wait for a limit of its account. */
  'limit.bound': { readonly account: string; readonly limit: LimitFigure; readonly untilMs: number }
  /** The fleet had taken this worker for dead; `null`: so long that nobody knew it any more. */
  'worker.lapsed': { readonly workerId: string; readonly silentMs: number | null }
  /** Something went wrong in a duty that this worker does for the fleet; its next turn comes. `jobNo`: which job it was about, where it was about one. */
  'duty.failed': { readonly role: string; readonly jobNo: number | null; readonly message: string }
  /** A batch came into another state. `note`: what went wrong last, for people. */
  'batch.shard': {
    readonly shardId: string
    readonly account: string
    readonly state: ShardState
    readonly requests: number
    readonly batchId: string | null
    readonly note: string | null
  }
  /** Something went wrong with a batch; it is tried again, or waits for somebody. `shardId`: `null` before there is one. */
  'batch.trouble': { readonly shardId: string | null; readonly account: string; readonly message: string }
  /** A notice did not arrive; it is tried again, or given up. Names no address. */
  'notice.undelivered': { readonly jobNo: number | null; readonly message: string }
  /** Nothing is sent to an address any more. Names no address. */
  'notice.disabled': { readonly jobNo: number | null; readonly message: string }
  'storage.failing': { readonly message: string }
  'storage.back': { readonly afterMs: number }
}

export type EventName = keyof EventMap

/** Events within one process: whoever subscribes can look, and can never break the work. */
export interface Events {
  emit<N extends EventName>(name: N, event: EventMap[N]): void
  /** Calls `listener` for each; returns the way out. */
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void
}

/** Creates the events of one process. What a listener throws goes to `onDefect`, not to the emitter. */
export function createEvents(onDefect: (name: EventName, error: unknown) => void): Events {
  const listeners = new Map<EventName, Set<(event: never) => void>>()
  return Object.freeze({
    emit<N extends EventName>(name: N, event: EventMap[N]) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          ;(listener as (event: EventMap[N]) => void)(event)
        } catch (error) {
          onDefect(name, error)
        }
      }
    },
    on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set)
      set.add(listener as (event: never) => void)
      return () => set.delete(listener as (event: never) => void)
    },
  })
}
