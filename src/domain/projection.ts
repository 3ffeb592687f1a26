import type { Amount, BudgetLimits } from './budget.ts'

/** What is known of a job's rows so far. */
export interface RowsSeen {
  readonly total: number
  readonly ended: number
  /** What the job has used, by all attempts. */
  readonly spent: Amount
  /** Variance of what a row uses, over the ended rows looked at. */
  readonly variance: Amount
}

/** Between what the job will have used at its end, in 95 of 100 jobs like it. */
export interface Projection {
  readonly low: Amount
  readonly high: Amount
}

/** Before so many rows have ended, or this share of all, whichever is more, nobody is stopped by a projection. */
const LEAST_ROWS = 100
const LEAST_SHARE = 0.05

/** Standard errors to each side. */
const SPREAD = 2

/** By so much must a projection have grown to stop a job that was resumed in spite of it. */
const WORSE = 1.25

/**
 * What a job will use: what it has used, and for each row that is left the mean of those before, give or take two standard errors of that sum. The
 * error is of both kinds: the mean is known from `ended` rows only, and the rows that are left vary around it (s² · left · total / ended).
 * Of heavy tails the sample has mostly seen too little: the mean then lies low, and so does the low end, which is the side that never stops
 * a job too early. `null`: no row has ended.
 */
export function project({ total, ended, spent, variance }: RowsSeen): Projection | null {
  if (ended === 0) return null
  const left = Math.max(0, total - ended)
  const spread = (left * Math.max(total, ended)) / ended
  const side = (of: keyof Amount, sign: 1 | -1) => {
    const error = SPREAD * Math.sqrt(Math.max(0, variance[of]) * spread)
    return Math.round(Math.max(spent[of], spent[of] + (left * spent[of]) / ended + sign * error))
  }
  return {
    low: { nano: side('nano', -1), tokens: side('tokens', -1) },
    high: { nano: side('nano', 1), tokens: side('tokens', 1) },
  }
}

/** Whether so many rows have ended that a projection may stop the job. */
export function isTelling({ total, ended }: Pick<RowsSeen, 'total' | 'ended'>): boolean {
  return ended >= Math.max(LEAST_ROWS, Math.ceil(total * LEAST_SHARE))
}

/**
 * Which limit even the low end passes; `null`: none. `stoppedAt` is the low end for which the job was stopped before, under the same limits: it is
 * not stopped again for what somebody has seen and resumed in spite of, unless things got a quarter worse.
 */
export function overrun(low: Amount, limits: BudgetLimits, stoppedAt: Amount | null): keyof Amount | null {
  const passes = (of: keyof Amount) => {
    const limit = limits[of]
    if (limit === null || low[of] <= limit) return false
    return stoppedAt === null || stoppedAt[of] <= limit || low[of] > stoppedAt[of] * WORSE
  }
  return passes('nano') ? 'nano' : passes('tokens') ? 'tokens' : null
}
