import { setImmediate } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { AttemptState } from '../domain/attempt.ts'
import type { Cause } from '../domain/failure.ts'
import type { Ledger } from '../domain/stored.ts'
import type { Database } from './schema.ts'

/** Chunks whose attempts are summed between two turns of the event loop. */
const SCAN_CHUNKS = 50

/** Attempts that are alike in state, cause and model, summed. */
interface Sum {
  readonly state: AttemptState
  readonly cause: Cause | null
  readonly model: string
  readonly attempts: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly costNano: number
  readonly unpriced: number
}

/**
 * Sums the ledger of a job over its attempts, part by part. Attempts that are still open are counted apart and add nothing. While the job
 * runs, the parts are read at slightly different times.
 */
export async function sumLedger(db: Kysely<Database>, jobNo: number): Promise<Ledger> {
  const job = await db.selectFrom('jobs').select('chunks_total').where('job_no', '=', jobNo).executeTakeFirstOrThrow()
  const ledger = emptyLedger()
  const byCause = new Map<Cause, number>()
  const byModel = new Map<string, { attempts: number; costNano: number }>()
  // Chunks are numbered without gaps, from 0 or from 1.
  for (let from = 0; from <= job.chunks_total; from += SCAN_CHUNKS) {
    for (const sum of await sumPart(db, jobNo, from)) {
      ledger[sum.state] += sum.attempts
      if (sum.state === 'open') continue
      add(ledger, sum)
      if (sum.cause !== null) byCause.set(sum.cause, (byCause.get(sum.cause) ?? 0) + sum.attempts)
      const model = byModel.get(sum.model) ?? { attempts: 0, costNano: 0 }
      byModel.set(sum.model, { attempts: model.attempts + sum.attempts, costNano: model.costNano + sum.costNano })
    }
    await setImmediate()
  }
  return {
    ...ledger,
    byCause: [...byCause]
      .map(([cause, attempts]) => ({ cause, attempts }))
      .sort((a, b) => b.attempts - a.attempts || a.cause.localeCompare(b.cause)),
    byModel: [...byModel]
      .map(([model, sums]) => ({ model, ...sums }))
      .sort((a, b) => b.costNano - a.costNano || a.model.localeCompare(b.model)),
  }
}

type Sums = { -readonly [field in keyof Omit<Ledger, 'byCause' | 'byModel'>]: number }

function emptyLedger(): Sums {
  return {
    attempts: 0,
    booked: 0,
    lost: 0,
    orphaned: 0,
    open: 0,
    inputTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    costNano: 0,
    unpriced: 0,
    failedCostNano: 0,
    lostCostNano: 0,
    orphanedCostNano: 0,
  }
}

function add(ledger: Sums, sum: Sum): void {
  ledger.attempts += sum.attempts
  ledger.inputTokens += sum.inputTokens
  ledger.cachedTokens += sum.cachedTokens
  ledger.outputTokens += sum.outputTokens
  ledger.costNano += sum.costNano
  ledger.unpriced += sum.unpriced
  const accepted = sum.state === 'booked' && sum.cause === null
  if (!accepted) ledger.failedCostNano += sum.costNano
  if (sum.state === 'lost') ledger.lostCostNano += sum.costNano
  if (sum.state === 'orphaned') ledger.orphanedCostNano += sum.costNano
}

async function sumPart(db: Kysely<Database>, jobNo: number, fromChunk: number): Promise<readonly Sum[]> {
  const rows = await db
    .selectFrom('attempts')
    .select(['state', 'cause', 'model'])
    .select((eb) => [
      eb.fn.countAll<number>().as('attempts'),
      eb.fn.sum<number>('input_tokens').as('input_tokens'),
      eb.fn.sum<number>('cached_tokens').as('cached_tokens'),
      eb.fn.sum<number>('output_tokens').as('output_tokens'),
      eb.fn.sum<number>('cost_nano').as('cost_nano'),
      eb.fn.count<number>('cost_nano').as('priced'),
    ])
    .where('job_no', '=', jobNo)
    .where('chunk_no', '>=', fromChunk)
    .where('chunk_no', '<', fromChunk + SCAN_CHUNKS)
    .groupBy(['state', 'cause', 'model'])
    .execute()
  return rows.map((row) => ({
    state: row.state,
    cause: row.cause,
    model: row.model,
    attempts: Number(row.attempts),
    inputTokens: Number(row.input_tokens),
    cachedTokens: Number(row.cached_tokens),
    outputTokens: Number(row.output_tokens),
    costNano: Number(row.cost_nano ?? 0),
    unpriced: Number(row.attempts) - Number(row.priced),
  }))
}
