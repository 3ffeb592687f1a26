import type { Failure } from './failure.ts'
import type { LimitSignal } from './limit-signal.ts'
import type { Usage } from './usage.ts'

/** How an answer ended: in full, cut off at the token limit, blocked by a filter, or declined by the model. */
export type Finish = 'stop' | 'length' | 'content_filter' | 'refusal' | 'other'

/** At which service tier a live request was answered. `flex` costs less than `standard`. */
export type ServedTier = 'flex' | 'standard'

/** What came back for one request. A provider's failure is a value here, never an exception. */
export type Completion = Answered | Unanswered

interface Common {
  /** `null`: the provider did not say. Paid tokens can stand on failures too. */
  readonly usage: Usage | null
  readonly limits: LimitSignal | null
  readonly providerRequestId: string | null
  /** From sending to the last byte, in ms. */
  readonly latencyMs: number
  /** The model as the answer named it. */
  readonly modelAnswered: string | null
  /** Absent: the provider did not say. */
  readonly tier?: ServedTier
}

export interface Answered extends Common {
  readonly ok: true
  readonly text: string
  readonly finish: Finish
}

export interface Unanswered extends Common {
  readonly ok: false
  readonly failure: Failure
  /** The provider will not take the tier that was asked for with this model; asked without, it may answer. */
  readonly tierRefused?: true
}
