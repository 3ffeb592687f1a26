import { hash } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { Price } from '../domain/money.ts'
import type { StoreDatabase } from './database.ts'
import type { PricesTable } from './schema-ledger.ts'

/** The prices that attempts were booked at. */
export interface Prices {
  priceNo(price: Price): Promise<number>
  /** The prices of these numbers; `null`s stand for unknown ones, and are left out. */
  byNo(numbers: Iterable<number | null>): Promise<ReadonlyMap<number, Price>>
}

/** A price never changes under its number, so that each is read once. */
export function storedPrices(database: StoreDatabase): Prices {
  const known = new Map<number, Price>()

  const find = async (priceHash: Uint8Array) => {
    const query = database.reader.selectFrom('prices').select('price_no').where('price_hash', '=', priceHash)
    return (await query.executeTakeFirst())?.price_no ?? null
  }

  return Object.freeze({
    async priceNo(price: Price) {
      const row = rowOf(price)
      const found = await find(row.price_hash)
      if (found !== null) return found
      await database.write((tx) =>
        database
          .handle(tx)
          .insertInto('prices')
          .values(row)
          .onConflict((conflict) => conflict.column('price_hash').doNothing())
          .execute(),
      )
      return (await find(row.price_hash)) as number
    },

    async byNo(numbers: Iterable<number | null>) {
      const missing = [...new Set(numbers)].filter((number) => number !== null && !known.has(number)) as number[]
      if (missing.length > 0) {
        const rows = await database.reader.selectFrom('prices').selectAll().where('price_no', 'in', missing).execute()
        for (const row of rows) known.set(row.price_no, priceOf(row))
      }
      return known
    },
  })
}

function rowOf(price: Price) {
  const row = {
    input_nano: price.inputNanoPerMillion,
    output_nano: price.outputNanoPerMillion,
    cached_input_nano: price.cachedInputNanoPerMillion,
    cache_write_nano: price.cacheWriteNanoPerMillion,
    lane_permille: price.lanePermille ?? 1000,
    source: price.source,
  }
  return { ...row, price_hash: hash('sha256', JSON.stringify(Object.values(row)), 'buffer') }
}

function priceOf(row: Selectable<PricesTable>): Price {
  return {
    inputNanoPerMillion: row.input_nano,
    outputNanoPerMillion: row.output_nano,
    cachedInputNanoPerMillion: row.cached_input_nano,
    cacheWriteNanoPerMillion: row.cache_write_nano,
    ...(row.lane_permille !== 1000 && { lanePermille: row.lane_permille }),
    source: row.source,
  }
}
