import type { Way } from '../domain/route.ts'
import { closingMs } from './choose-way.ts'

/** A batch that is out. */
export interface BatchOut {
  readonly id: string
  readonly requests: number
  readonly sentAtMs: number
  /** It is called back already. */
  readonly called: boolean
}

/** How a job with a deadline stands. */
export interface Standing {
  readonly nowMs: number
  readonly deadlineAtMs: number
  readonly way: Way
  /** Rows of the whole job. */
  readonly rows: number
  /** Rows without outcome. */
  readonly left: number
  /** Those of them that wait for a batch. */
  readonly packed: number
  /** Batches at the provider, or on their way there. */
  readonly out: readonly BatchOut[]
  /** Rows that are at a batch of which nothing can be done yet: it is planned, or its creation is not answered. */
  readonly leaving: number
  /** What a row takes live when many go at once, cautiously, ms. */
  readonly liveMsPerRow: number
  /** How long a batch may take to end that is called back, ms. */
  readonly recallMs: number
}

/** What is to be done so that the deadline holds. */
export interface Haste {
  /** Everything that is asked from now on goes live. */
  readonly goLive: boolean
  /** So many rows that wait for a batch are to be asked live instead. */
  readonly takeBack: number
  /** These batches are to be cancelled; what they have not answered goes live. */
  readonly callBack: readonly string[]
}

/**
 * What has to happen now so that the job ends in time even if no batch came back any more; `null`: nothing. It is called again and again, and does no
 * more each time than that needs: what is with a batch may still come for half the price, so live requests get as many rows as keep them busy until
 * the next batches could be called back; first those that still wait, then those of the youngest batches. A deadline that has passed changes nothing of that:
 * later is worse than late.
 */
export function keepDeadline(standing: Standing): Haste | null {
  const { nowMs, deadlineAtMs, way, rows, left, packed, out, leaving, liveMsPerRow, recallMs } = standing
  const leftMs = deadlineAtMs - nowMs
  const atBatches = out.reduce((sum, { requests }) => sum + requests, 0)
  const mayWait = leftMs > (packed + atBatches > 0 ? recallMs : 0) + left * liveMsPerRow + closingMs(rows)
  if (left === 0 || mayWait) return null
  const called = out.filter((batch) => batch.called).reduce((sum, { requests }) => sum + requests, 0)
  const live = left - packed - atBatches - leaving
  const nextMs = recallMs + closingMs(0)
  const untilNextMs = leftMs > 0 ? Math.min(nextMs, leftMs) : nextMs
  let wanted = Math.ceil(untilNextMs / liveMsPerRow) - live - called
  const takeBack = Math.max(0, Math.min(packed, wanted))
  wanted -= takeBack
  const callBack: string[] = []
  for (const batch of out.filter((each) => !each.called).toSorted((a, b) => b.sentAtMs - a.sentAtMs)) {
    if (wanted <= 0) break
    callBack.push(batch.id)
    wanted -= batch.requests
  }
  const goLive = way !== 'live'
  return goLive || takeBack > 0 || callBack.length > 0 ? { goLive, takeBack, callBack } : null
}
