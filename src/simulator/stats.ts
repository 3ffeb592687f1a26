import type { RequestRecord } from './request-log.ts'

/** What a simulator has done since it was made. */
export interface SimulatorStats {
  readonly requests: number
  readonly billed_requests: number
  readonly input_tokens: number
  /** Of these, read from the cache of prompts, and written there. */
  readonly cached_tokens: number
  readonly cache_write_tokens: number
  readonly output_tokens: number
  /** What it charges for all of it: the sum of the records' costs. */
  readonly cost_nano: number
  /** Requests by HTTP status; `0` for connections that were reset. */
  readonly by_status: Readonly<Record<string, number>>
  readonly by_fault: Readonly<Record<string, number>>
}

/** Sums over records: what is booked once is counted once. */
export function createStats() {
  const sums = {
    requests: 0,
    billed_requests: 0,
    input_tokens: 0,
    cached_tokens: 0,
    cache_write_tokens: 0,
    output_tokens: 0,
    cost_nano: 0,
  }
  const byStatus: Record<string, number> = {}
  const byFault: Record<string, number> = {}
  return Object.freeze({
    book(record: RequestRecord): void {
      sums.requests += 1
      byStatus[record.status] = (byStatus[record.status] ?? 0) + 1
      if (record.fault !== null) byFault[record.fault] = (byFault[record.fault] ?? 0) + 1
      if (!record.billed) return
      sums.billed_requests += 1
      sums.input_tokens += record.inputTokens
      sums.cached_tokens += record.cachedTokens
      sums.cache_write_tokens += record.cacheWriteTokens
      sums.output_tokens += record.outputTokens
      sums.cost_nano += record.costNano
    },
    read: (): SimulatorStats => ({ ...sums, by_status: { ...byStatus }, by_fault: { ...byFault } }),
  })
}
