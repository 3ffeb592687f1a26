import { type Kysely, sql } from 'kysely'
import type { StoreTx } from '../domain/store-tx.ts'
import { addToDay } from './budget-day.ts'
import { keepDoubt } from './budget-doubt.ts'
import { doubtOf, drawFrom } from './budget-draw.ts'
import { bookPart, doubtAllHoldings, holdForParts } from './budget-holdings.ts'
import { countingChunks } from './chunk-record.ts'
import type { StoreDatabase } from './database.ts'
import { countLost } from './lost.ts'
import { readOutlook } from './outlook.ts'
import type { Budgets, GrantCharge } from './role/budgets.ts'
import type { Database } from './schema.ts'

/** Budgets and the grants drawn from them. `now`: UTC milliseconds. */
export function budgetsRole(database: StoreDatabase, now: () => number): Budgets {
  const { handle, write } = database
  const grantOf = (db: Kysely<Database>, jobNo: number, workerId: string) =>
    db.updateTable('budget_grants').where('job_no', '=', jobNo).where('worker_id', '=', workerId)

  async function bookOne(db: Kysely<Database>, workerId: string, { jobNo, used, doubtful }: GrantCharge) {
    const { numUpdatedRows } = await grantOf(db, jobNo, workerId)
      .set({
        left_nano: sql`left_nano - ${used.nano + doubtful.nano}`,
        left_tokens: sql`left_tokens - ${used.tokens + doubtful.tokens}`,
      })
      .$if(doubtful.nano + doubtful.tokens > 0, (update) =>
        update.set({
          doubt_nano: sql`doubt_nano + ${doubtful.nano}`,
          doubt_tokens: sql`doubt_tokens + ${doubtful.tokens}`,
        }),
      )
      .executeTakeFirstOrThrow()
    return numUpdatedRows > 0n
  }

  return Object.freeze({
    draw: (request) => write((tx) => drawFrom(database, tx, request, now())),

    async book(tx, workerId, charges) {
      const without = new Set<number>()
      for (const charge of charges) {
        if (await bookOne(handle(tx), workerId, charge)) continue
        without.add(charge.jobNo)
        await keepDoubt(handle(tx), charge.jobNo, charge.doubtful)
      }
      return without
    },

    hold: (tx, jobNo, workerId, holds) => holdForParts(handle(tx), jobNo, workerId, holds),

    async bookParts(tx, ended) {
      // In the order in which all who book take locks.
      for (const part of ended.toSorted((a, b) => (a.partId < b.partId ? -1 : 1))) await bookPart(handle(tx), part)
    },

    giveBack: (jobNo, workerId, rest) =>
      write(async (tx) => {
        const grant = await grantOf(handle(tx), jobNo, workerId)
          .set({ left_nano: sql`left_nano - ${rest.nano}`, left_tokens: sql`left_tokens - ${rest.tokens}` })
          .returning('day')
          .executeTakeFirst()
        if (grant !== undefined) await addToDay(handle(tx), jobNo, grant.day, -rest.nano)
      }),

    retire: (jobNo, workerId) => write((tx) => retireGrant(database, tx, jobNo, workerId, now())),

    async clear(tx, jobNo) {
      const ended = await handle(tx)
        .deleteFrom('budget_grants')
        .where('job_no', '=', jobNo)
        .returning(['left_nano', 'doubt_nano', 'doubt_tokens', 'day'])
        .execute()
      for (const grant of ended) {
        await keepDoubt(handle(tx), jobNo, doubtOf(grant))
        await addToDay(handle(tx), jobNo, grant.day, -Math.max(0, grant.left_nano))
      }
      await doubtAllHoldings(handle(tx), jobNo)
    },

    outlook: (jobNo) => readOutlook(database, jobNo),

    noteStop: (jobNo, low) =>
      write(async (tx) => {
        const job = handle(tx).updateTable('jobs').where('job_no', '=', jobNo)
        await job.set({ stopped_at_nano: low.nano, stopped_at_tokens: low.tokens }).execute()
      }),

    setDay: (tenantNo, nano) =>
      write(async (tx) => {
        await handle(tx).updateTable('tenants').set({ day_nano: nano }).where('tenant_no', '=', tenantNo).execute()
      }),
  } satisfies Budgets)
}

/**
 * The grant goes first: a worker that was taken for dead and is not either has committed before, and what it sent is booked as lost here, or finds
 * no grant.
 */
async function retireGrant(database: StoreDatabase, tx: StoreTx, jobNo: number, workerId: string, atMs: number) {
  await database.lockJob(tx, jobNo, 'exclusive')
  const db = database.handle(tx)
  const grant = await db
    .deleteFrom('budget_grants')
    .where('job_no', '=', jobNo)
    .where('worker_id', '=', workerId)
    .returning(['doubt_nano', 'doubt_tokens'])
    .executeTakeFirst()
  if (grant === undefined) return
  const left = await db
    .updateTable('chunks')
    .set({ counting: 1 })
    .where('job_no', '=', jobNo)
    .where('chunk_no', 'in', countingChunks(db, jobNo))
    .where((eb) => eb.or([eb('state', '<>', 'leased'), eb('owner', '=', workerId)]))
    .returning('chunk_no')
    .execute()
  for (const { chunk_no: chunkNo } of left) await countLost(db, { jobNo, chunkNo }, atMs)
  await keepDoubt(db, jobNo, doubtOf(grant))
}
