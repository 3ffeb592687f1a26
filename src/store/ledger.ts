import { setImmediate } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { addSums, type LedgerPart, NO_SUMS } from '../domain/ledger.ts'
import type { Database } from './schema.ts'

/** Chunks whose attempts are summed between two turns of the event loop. */
const SCAN_CHUNKS = 50

/** A part of a ledger as it is stored: with the number of its price. */
export type StoredPart = Omit<LedgerPart, 'price'> & { readonly priceNo: number | null }

/**
 * Sums the attempts of a job that are alike, stretch by stretch of its chunks. What an `open` attempt holds is its worst case, and counts for
 * nothing yet. While the job runs, the stretches are read at slightly different times.
 */
export async function sumAttempts(db: Kysely<Database>, jobNo: number): Promise<readonly StoredPart[]> {
  const job = await db.selectFrom('jobs').select('chunks_total').where('job_no', '=', jobNo).executeTakeFirstOrThrow()
  const parts = new Map<string, StoredPart>()
  // Chunks are numbered without gaps, from 0 or from 1.
  for (let from = 0; from <= job.chunks_total; from += SCAN_CHUNKS) {
    for (const part of await sumStretch(db, jobNo, from)) {
      const { round, day, model, lane, state, cause, priceNo } = part
      const key = JSON.stringify([round, day, model, lane, state, cause, priceNo])
      const known = parts.get(key)
      parts.set(key, known === undefined ? part : { ...part, ...addSums(known, part) })
    }
    await setImmediate()
  }
  return [...parts.values()]
}

async function sumStretch(db: Kysely<Database>, jobNo: number, fromChunk: number): Promise<readonly StoredPart[]> {
  const rows = await db
    .selectFrom('attempts')
    .select(['round', 'model', 'lane', 'state', 'cause', 'price_no'])
    .select(sql<number>`started_at_ms / 86400000`.as('day'))
    .select((eb) => [
      eb.fn.countAll<number>().as('attempts'),
      eb.fn.sum<number>('input_tokens').as('input_tokens'),
      eb.fn.sum<number>('cached_tokens').as('cached_tokens'),
      eb.fn.sum<number>('cache_write_tokens').as('cache_write_tokens'),
      eb.fn.sum<number>('output_tokens').as('output_tokens'),
      eb.fn.sum<number>('reasoning_tokens').as('reasoning_tokens'),
      eb.fn.sum<number>('cost_nano').as('cost_nano'),
      eb.fn.count<number>('cost_nano').as('priced'),
    ])
    .where('job_no', '=', jobNo)
    .where('chunk_no', '>=', fromChunk)
    .where('chunk_no', '<', fromChunk + SCAN_CHUNKS)
    .groupBy(['round', 'model', 'lane', 'state', 'cause', 'price_no', 'day'])
    .execute()
  return rows.map(({ round, model, lane, state, cause, price_no, day, attempts, priced, ...sums }) => {
    const named = { round, day: Number(day), model, lane, state, cause, priceNo: price_no }
    if (state === 'open') return { ...named, ...NO_SUMS, attempts: Number(attempts) }
    return {
      ...named,
      attempts: Number(attempts),
      inputTokens: Number(sums.input_tokens),
      cachedTokens: Number(sums.cached_tokens),
      cacheWriteTokens: Number(sums.cache_write_tokens),
      outputTokens: Number(sums.output_tokens),
      reasoningTokens: Number(sums.reasoning_tokens),
      costNano: Number(sums.cost_nano ?? 0),
      unpriced: Number(attempts) - Number(priced),
    }
  })
}
