import type { Delivery, JobFilter } from '../queue/queue.ts'
import type { HeldChunk } from './held-chunk.ts'

/** Errands that take no place of a chunk: a large input that is being read must not hold up the rows of others. */
const ERRANDS_BESIDE = 2
/** Places beyond the worker's own, for tenants of which it has nothing to do: nobody waits for a whole chunk of another tenant. */
const TENANTS_BESIDE = 64
/** As long as it holds no more rows than this: they take memory. */
const ROWS_HELD = 20_000
/** When so much of a chunk is left, its tenant's next one is taken in: no tenant loses its turns while a chunk is being opened. */
const HALF_DONE = 0.5
const CHUNKS_OF_TENANT = 2
/** Messages taken beside at a time, of as many tenants: a fetch costs as much for one. */
const BESIDE_AT_ONCE = 8

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
 * What a worker may fetch now; `null`: nothing. Up to its own number of chunks of whomever the queue's turns say; beyond that, one message of each
 * tenant for which it has nothing to do, and only then of those of whose chunk half is done: such a chunk takes no place.
 */
export function whatToFetch(holding: Holding): { readonly limit: number; readonly filter: JobFilter } | null {
  const { errands, chunks, jobNo, except } = holding
  const held = holding.held.filter((chunk) => !chunk.closed && !chunk.stale)
  const taken = Math.max(0, errands.length - ERRANDS_BESIDE)
  const room = chunks - held.length - taken
  if (jobNo !== null) return room <= 0 || except.includes(jobNo) ? null : { limit: room, filter: { jobNo } }
  if (room > 0) return { limit: room, filter: { except } }
  const rows = held.reduce((sum, { chunk }) => sum + chunk.rows, 0)
  const beside = chunks + TENANTS_BESIDE - held.filter(isBusy).length - taken
  if (beside <= 0 || rows >= ROWS_HELD) return null
  const exceptTenants = new Set(errands.map(({ tenantNo }) => tenantNo))
  const lastTenants: number[] = []
  const byTenant = Map.groupBy(held, (chunk) => chunk.run.job.tenantNo)
  for (const [tenantNo, own] of byTenant) {
    // Where nobody else is there, there are no turns to lose.
    if (own.some(isBusy) || own.length >= CHUNKS_OF_TENANT || byTenant.size === 1) exceptTenants.add(tenantNo)
    else lastTenants.push(tenantNo)
  }
  const largest = Math.max(1, ...held.map(({ chunk }) => chunk.rows))
  const limit = Math.min(beside, BESIDE_AT_ONCE, Math.ceil((ROWS_HELD - rows) / largest))
  return { limit, filter: { except, exceptTenants: [...exceptTenants], lastTenants, oneEach: true } }
}

function isBusy({ open, chunk }: HeldChunk): boolean {
  return open > HALF_DONE * chunk.rows
}
