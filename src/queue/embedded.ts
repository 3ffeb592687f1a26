import type { Kysely } from 'kysely'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Runtime } from '../runtime.ts'
import { deliveryOf, leaseMessages } from './embedded-fetch.ts'
import {
  anyDue,
  freeLeases,
  heldBy,
  insertMessages,
  leasingWorkers,
  readDepth,
  readHolders,
  readTotal,
  releaseMessage,
} from './embedded-messages.ts'
import type { QueueTables } from './embedded-tables.ts'
import type { Delivery, Queue } from './queue.ts'
import { correctCharge } from './tenant-line.ts'

/** How long a lease lasts without being renewed. Workers renew every second: this is how long a frozen one may be in the way. */
export const LEASE_MS = 15_000

/** What the queue needs of the store's database. */
export interface QueueDatabase {
  readonly reader: Kysely<QueueTables>
  handle(tx: StoreTx): Kysely<QueueTables>
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
}

export interface EmbeddedQueueOptions {
  readonly database: QueueDatabase
  /** Its clock is the database's: both are of one machine. */
  readonly runtime: Pick<Runtime, 'now'>
  /** @default 15_000 */
  readonly leaseMs?: number
}

/**
 * The queue of one machine: messages in the store's own database, leased for a time.
 *
 * A message waits or is leased. Each fetch raises its receipt, so that an earlier delivery of it has no power any more. A lease that ran out stands
 * until somebody looks for it: its holder may still renew it, if it comes first.
 */
export function createEmbeddedQueue({ database, runtime, leaseMs = LEASE_MS }: EmbeddedQueueOptions): Queue {
  const { reader, handle, write } = database
  return Object.freeze({
    enqueue: (tx, messages) => insertMessages(handle(tx), messages, runtime.now()),

    async fetch(worker, limit, filter = {}) {
      // Polling an idle queue takes no lock: it is in nobody's way.
      if (limit <= 0 || !(await anyDue(reader, runtime.now(), filter))) return []
      return await write(async (tx) => {
        const now = runtime.now()
        await freeLeases(handle(tx), [], now)
        const leased = await leaseMessages(handle(tx), {
          worker,
          limit,
          filter,
          now,
          until: now + leaseMs,
        })
        return leased.map(deliveryOf)
      })
    },

    async extend(deliveries) {
      if (deliveries.length === 0) return []
      return await write(async (tx) => {
        const held: Delivery[] = []
        for (const delivery of deliveries) {
          const renewed = await handle(tx)
            .updateTable('messages')
            .set({ lease_until_ms: runtime.now() + leaseMs })
            .where(heldBy(delivery))
            .executeTakeFirstOrThrow()
          if (renewed.numUpdatedRows > 0n) held.push(delivery)
        }
        return held
      })
    },

    async complete(tx, delivery, tokens) {
      const removed = await handle(tx).deleteFrom('messages').where(heldBy(delivery)).executeTakeFirstOrThrow()
      if (removed.numDeletedRows === 0n) return false
      if (tokens !== undefined) await correctCharge(handle(tx), { ...delivery, tokens, isWhole: true })
      return true
    },

    release: (tx, delivery, delayMs, tokens = 0) =>
      releaseMessage(handle(tx), delivery, delayMs, runtime.now(), tokens),

    async purge(tx, jobNo) {
      const gone = await handle(tx)
        .deleteFrom('messages')
        .where('job_no', '=', jobNo)
        .returning(['tenant_no', 'worker', 'charged'])
        .execute()
      for (const { tenant_no: tenantNo, charged } of gone)
        if (charged > 0) await correctCharge(handle(tx), { tenantNo, charged, tokens: 0, isWhole: false })
      return gone.filter(({ worker }) => worker !== null).length
    },

    async reclaim(isGone) {
      const workers = await leasingWorkers(reader)
      const gone: string[] = []
      for (const { worker } of workers) if (await isGone(worker)) gone.push(worker)
      const now = runtime.now()
      if (gone.length === 0 && workers.every((lease) => lease.earliestMs > now)) return 0
      return await write((tx) => freeLeases(handle(tx), gone, now))
    },

    depth: (jobNo) => readDepth(reader, jobNo, runtime.now()),
    total: () => readTotal(reader, runtime.now()),
    holders: () => readHolders(reader),
    // What dies again and again before its chunk is even claimed is this machine's own trouble, and whoever sits before it sees it.
    takeDead: async () => [],
  } satisfies Queue)
}
