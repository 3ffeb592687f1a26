import type { Completion } from '../domain/completion.ts'
import { flexAccount } from '../limit/flex-account.ts'
import type { RowTask } from './held-chunk.ts'
import { targetOf } from './intent.ts'
import type { JobRun, Rate, TargetRun } from './job-run.ts'

/** How a row's next live request goes, if it goes now. */
export interface LiveWay {
  /** What it is asked as. */
  readonly tier: 'flex' | 'standard'
  /** Whose slots it takes. */
  readonly account: string
  /** How long its answer is waited for, ms. */
  readonly timeoutMs: number
}

/** OpenAI's advice for flex: its answers may stand in a queue first. Gemini aims at 1 to 15 minutes. */
export const FLEX_TIMEOUT_MS = 15 * 60_000

/** As flex where the job's route says so and its model is to be had so; else as the provider serves by itself. */
export function liveWayOf(task: RowTask, nowMs: number): LiveWay {
  const { run } = task.held
  const { flex, account } = targetOf(task)
  const { requestMs } = run.spec.execution.timeout
  if (flex === null || !isFlex(run)) return { tier: 'standard', account, timeoutMs: requestMs }
  // A flex request that outlives the deadline helps nobody: before it there must be time to ask once more.
  const deadlineAtMs = run.route?.deadlineAtMs ?? null
  const leftMs = deadlineAtMs === null ? FLEX_TIMEOUT_MS : deadlineAtMs - requestMs - nowMs
  const timeoutMs = Math.max(requestMs, Math.min(FLEX_TIMEOUT_MS, leftMs))
  return { tier: 'flex', account: flexAccount(account), timeoutMs }
}

/** Whose slots a live request to a model of the job takes, if it goes now. */
export function accountOf(run: JobRun, { flex, account }: TargetRun): string {
  return flex !== null && isFlex(run) ? flexAccount(account) : account
}

/** Whether requests of the job go as flex at the moment, where their model is to be had so. */
function isFlex({ route, noFlex }: JobRun): boolean {
  return route?.way === 'flex' && noFlex === undefined
}

/**
 * What a request is charged that was asked as flex: the price of flex where the answer says that it was served so. One that says nothing is taken to be
 * charged in full, so that no budget is passed; what was not answered is charged nothing.
 */
export function flexRate(target: TargetRun, { tier, usage }: Completion): Rate {
  return target.flex !== null && (tier === 'flex' || usage === null) ? target.flex : target
}
