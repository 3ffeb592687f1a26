import type { Job, JobId, JobState } from './job.ts'

/** At which ends and halts of a job somebody can be told of it. */
export const NOTIFY_STATES = ['completed', 'failed', 'paused', 'cancelled'] as const
export type NotifyState = (typeof NOTIFY_STATES)[number]

/** What somebody can be told of a job: its ends and halts, how far its budget is used, and what goes wrong on the way. */
export const NOTIFY_EVENTS = [...NOTIFY_STATES, 'budget', 'alert'] as const
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number]

/** How a batch of the OpenAI-compatible routes can end. */
export type BatchEnd = 'completed' | 'failed' | 'expired' | 'cancelled'

/** What a target hears of that does not say: whoever cancels a job knows of it. */
export const NOTIFY_BY_DEFAULT: readonly NotifyState[] = Object.freeze(['completed', 'failed', 'paused'] as const)

/** Who is told, and where. */
export interface NoticeTarget {
  readonly kind: 'webhook' | 'slack'
  /** An address, or the variable that holds one: such an address is a secret, and is read when something is sent. */
  readonly address: { readonly url: string } | { readonly env: string }
  /** The variable with the secret that signs; `null`: nothing is signed. */
  readonly secretEnv: string | null
}

/** What a notice tells. A completed job says whether all of its rows are well. */
export type NoticeType = `job.${NotifyEvent}` | 'job.completed_with_failures' | `batch.${BatchEnd}`

/** One message to one target, as it is written together with the change that it tells of. */
export interface NewNotice {
  /** `msg_` + UUIDv7; the same at every attempt, so that whoever gets it twice can tell. */
  readonly id: string
  /** Where its target stands in the spec's `notify`. */
  readonly targetNo: number
  readonly target: NoticeTarget
  readonly type: NoticeType
  /** What is sent: JSON, without contents of rows and without keys. */
  readonly body: string
}

export type NoticeState = 'due' | 'delivered' | 'given_up'

/** A notice as the store holds it. */
export interface Notice extends NewNotice {
  readonly tenantNo: number
  /** The job that it tells of; `null`: of none, such as a batch whose file did not pass. */
  readonly jobNo: number | null
  readonly jobId: JobId | null
  readonly state: NoticeState
  /** Attempts begun since it was written, or sent anew by hand. */
  readonly attempts: number
  readonly createdAtMs: number
  /** When it is tried next; `null`: not any more. */
  readonly nextAtMs: number | null
  readonly endedAtMs: number | null
  /** What came of the latest attempt, for people. */
  readonly note: string | null
  /** When somebody sent it anew by hand. */
  readonly replayedAtMs: number | null
}

/** Whether somebody may want to hear that a job has come into this state. */
export function isNotifyState(state: JobState): state is NotifyState {
  return (NOTIFY_STATES as readonly JobState[]).includes(state)
}

/** What a change into `state` is called. */
export function noticeType(state: NotifyState, counters: Pick<Job['counters'], 'failed'>): NoticeType {
  return state === 'completed' && counters.failed > 0 ? 'job.completed_with_failures' : `job.${state}`
}
