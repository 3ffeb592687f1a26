import type { Delivery, JobFilter } from '../queue/queue.ts'
import type { HeldChunk } from './held-chunk.ts'

/** Errands that take no place of a chunk: a large input that is being read must not hold up the rows of others. */
const ERRANDS_BESIDE = 2
/** Places beyond the worker's own, for tenants of which it has nothing to do: nobody waits for a whole chunk of another tenant. */
const TENANTS_BESIDE = 64
/** As long as it holds no more rows than this: they take memory. */
const ROWS_HELD = 20_000
/** When so much of a chunk is left, its tenant's next one is taken in: no tenant loses its turns while a chunk is being opened. */
const NEARLY_DONE = 0.25
const CHUNKS_OF_TENANT = 2

/** What a worker holds, and what it is there for. */
interface Holding {
  readonly held: readonly HeldChunk[]
  /** Errands under way. */
  readonly errands: readonly Delivery[]
  /** Chunks held at a time. */
  readonly chunks: number
  /** The one job that it works on; `null`: any. */
  readonly jobNo: number | null
  /** Jobs of which nothing is to be fetched just now. */
  readonly except: readonly number[]
}

/**
 * What a worker may fetch now; `null`: nothing. Up to its own number of chunks of whomever the queue's turns say; beyond that, one message at a time of
 * tenants for which it has nothing to do, or hardly anything any more.
 */
export function whatToFetch(holding: Holding): { readonly limit: number; readonly filter: JobFilter } | null {
  const { errands, chunks, jobNo, except } = holding
  const held = holding.held.filter((chunk) => !chunk.closed && !chunk.stale)
  const room = chunks - held.length - Math.max(0, errands.length - ERRANDS_BESIDE)
  if (jobNo !== null) return room <= 0 || except.includes(jobNo) ? null : { limit: room, filter: { jobNo } }
  if (room > 0) return { limit: room, filter: { except } }
  const rows = held.reduce((sum, { chunk }) => sum + chunk.rows, 0)
  if (room + TENANTS_BESIDE <= 0 || rows >= ROWS_HELD) return null
  const served = new Set(errands.map(({ tenantNo }) => tenantNo))
  const byTenant = Map.groupBy(held, (chunk) => chunk.run.job.tenantNo)
  for (const [tenantNo, own] of byTenant) {
    const isBusy = own.some(({ open, chunk }) => open > NEARLY_DONE * chunk.rows)
    // Where nobody else is there, there are no turns to lose.
    if (isBusy || own.length >= CHUNKS_OF_TENANT || byTenant.size === 1) served.add(tenantNo)
  }
  return { limit: 1, filter: { except, exceptTenants: [...served] } }
}
