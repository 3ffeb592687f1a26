import type { AttemptIntent } from '../domain/attempt.ts'
import type { Completion } from '../domain/completion.ts'
import type { Price } from '../domain/money.ts'
import { costOf, worstUsage } from '../domain/usage.ts'
import type { RowTask } from './held-chunk.ts'
import type { Rate, TargetRun } from './job-run.ts'

/** What came of a request that was sent. */
export interface Sent {
  readonly intent: AttemptIntent
  /** What it is charged at. */
  readonly price: Price | null
  readonly completion: Completion
  /** The provider as a whole is out. */
  readonly outage: boolean
  /** It was asked as flex, which its provider does not serve this model as: it says nothing of the row. */
  readonly flexRefused?: boolean
  /** The part of a batch whose result it is; absent: it went live. */
  readonly partId?: string
}

/** How and when a request goes. */
interface Way extends Pick<AttemptIntent, 'id' | 'lane' | 'startedAtMs'> {
  readonly rate: Rate
}

/** What the ledger notes of the row's next request. */
export function intentOf(task: RowTask, { id, lane, startedAtMs, rate }: Way): AttemptIntent {
  const { held, next } = task
  const worst = worstUsage(next.worstInputTokens, next.worstOutputTokens, rate.price)
  return {
    id,
    jobNo: held.claim.jobNo,
    chunkNo: held.claim.chunkNo,
    epoch: held.claim.epoch,
    rowIndex: task.row.index,
    round: held.run.job.round,
    number: (task.past[task.past.length - 1]?.number ?? 0) + 1,
    model: targetOf(task).modelId,
    lane,
    requestHash: next.requestHash,
    startedAtMs,
    worstInputTokens: worst.inputTokens,
    worstOutputTokens: worst.outputTokens,
    worstCacheWriteTokens: worst.cacheWriteTokens,
    worstCostNano: costOf(worst, rate.price),
    priceNo: rate.priceNo,
  }
}

/** The model that the row's next request asks. */
export function targetOf(task: RowTask): TargetRun {
  return task.held.run.targets.get(task.next.fallbackIndex) as TargetRun
}
