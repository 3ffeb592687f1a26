import { type Clock, fromKysely, type JobAttempt, type JobInsert, PgBoss, systemClock } from 'pg-boss'
import { SluiceError } from '../errors.ts'
import { type FetchedRow, fetchMessages } from './pg-boss-fetch.ts'
import {
  deleteOfJob,
  lockLost,
  lookForWork,
  readDepth,
  readHeldMessage,
  readHolders,
  readTotal,
  readTurns,
  readWorkers,
  renewLeases,
  takeDeadLetters,
} from './pg-boss-messages.ts'
import { ensurePgBoss } from './pg-boss-migrate.ts'
import {
  END,
  type Handle,
  HEARTBEAT_S,
  type MessageData,
  type PgBossDatabase,
  QUEUE,
  SCHEMA,
} from './pg-boss-tables.ts'
import type { Delivery, NewMessage, Queue } from './queue.ts'
import { nameOf, taskOf } from './task-name.ts'
import { correctCharge, readFront } from './tenant-line.ts'
import { nextTurn, TURN } from './turn.ts'

/** How long a message stays with a worker that says nothing, on PostgreSQL. */
export const PG_LEASE_MS = HEARTBEAT_S * 1000

const PRIORITIES = { high: 2, normal: 1, low: 0 } as const

/** A receipt names pg-boss's job and which fetch of it this was: together the fence against everybody who held it before. */
const RECEIPT = /^([0-9a-f-]{36}):(\d+)$/

/** pg-boss keeps time by the database. Its timers would only refresh what it knows of its two queues, which never changes. */
const NO_TIMERS: Clock = { ...systemClock, setTimeout: () => null, setInterval: () => null }

export interface PgBossQueueOptions {
  readonly database: PgBossDatabase
  readonly url: string
}

/**
 * The queue of many machines: pg-boss 12 in the store's own PostgreSQL (at `url`), over the store's own connections. Where the database has no queue
 * at all it is set up. Rejects with SluiceError `store_version` where it is of another version.
 *
 * What enqueues, completes and releases is part of the caller's transaction. Leases end by the database's clock, and their end is seen by
 * whoever looks next: no process has to watch over the others. docs/decisions/0007 says what of pg-boss is used, and what is not.
 */
export async function createPgBossQueue({ database, url }: PgBossQueueOptions): Promise<Queue> {
  const { reader, handle, write, aside } = database
  await ensurePgBoss({ url, reader })
  const boss = await start(reader)
  return Object.freeze({
    enqueue: (tx, messages) => insertMessages(boss, handle(tx), messages),

    async fetch(worker, limit, filter = {}) {
      // Polling an idle queue takes no lock: it is in nobody's way.
      const { due, silent } = await lookForWork(reader, filter)
      if (limit <= 0 || !(due || silent)) return []
      return await write(async (tx) => {
        if (silent) await free(boss, handle(tx), { gone: [], asker: worker })
        return (await fetchMessages(handle(tx), { worker, limit, filter })).map(deliveryOf)
      })
    },

    async extend(deliveries) {
      const attempts = deliveries.flatMap((delivery) => attemptOf(delivery) ?? [])
      if (attempts.length === 0) return []
      const held = new Set((await aside((db) => renewLeases(db, attempts))).map(receiptOf))
      return deliveries.filter((delivery) => held.has(delivery.receipt))
    },

    async complete(tx, delivery, tokens) {
      const attempt = attemptOf(delivery)
      if (attempt === null || affectedBy(await boss.deleteJob(QUEUE, attempt, over(handle(tx)))) === 0) return false
      if (tokens !== undefined) await correctCharge(handle(tx), { ...delivery, tokens, isWhole: true })
      return true
    },

    async release(tx, delivery, delayMs, tokens = 0) {
      const isHeld = await release(boss, handle(tx), delivery, delayMs)
      if (isHeld) await correctCharge(handle(tx), { ...delivery, tokens, isWhole: false })
      return isHeld
    },
    purge: (tx, jobNo) => deleteOfJob(handle(tx), jobNo),

    async reclaim(isGone) {
      const workers = await readWorkers(reader)
      const gone: string[] = []
      for (const { worker } of workers) if (await isGone(worker)) gone.push(worker)
      if (gone.length === 0 && !workers.some((held) => held.silent)) return 0
      return await write((tx) => free(boss, handle(tx), { gone, asker: null }))
    },

    depth: (jobNo) => readDepth(reader, jobNo),
    total: () => readTotal(reader),
    holders: () => readHolders(reader),
    takeDead: async (tx, limit) => (await takeDeadLetters(handle(tx), limit)).map(taskOf),
  } satisfies Queue)
}

const over = (db: Handle) => ({ db: fromKysely(db) })

/** Lets others have what silent workers and these ones hold; a message that has died too often becomes a dead letter. Returns how many. */
async function free(boss: PgBoss, db: Handle, whose: Parameters<typeof lockLost>[1]): Promise<number> {
  const lost = await lockLost(db, whose)
  return lost.length === 0 ? 0 : affectedBy(await boss.fail(QUEUE, [...lost], null, over(db)))
}

/**
 * Makes the message anew: its deliveries begin again, and no receipt of the old one has any power. It stands where it stood; one that is delayed
 * goes behind its job's others, so that what is not to be worked on just now does not come first again and again.
 */
async function release(boss: PgBoss, db: Handle, delivery: Delivery, delayMs: number): Promise<boolean> {
  const attempt = attemptOf(delivery)
  const message = attempt === null ? null : await readHeldMessage(db, attempt.id)
  if (attempt === null || message === null) return false
  if (affectedBy(await boss.deleteJob(QUEUE, attempt, over(db))) === 0) return false
  const { priority, data } = message
  const { tenantNo, task } = delivery
  const turn = delayMs > 0 ? await turnOf(db, { jobNo: task.jobNo, tenantNo, priority }) : data.turn
  const anew = { task: data.task, turn, level: data.level }
  await boss.insert(QUEUE, [jobOf(delivery, anew, priority, delayMs)], over(db))
  return true
}

/** pg-boss as a set of statements: nothing of it runs by itself. */
async function start(reader: Handle): Promise<PgBoss> {
  const boss = new PgBoss({
    db: fromKysely(reader),
    schema: SCHEMA,
    clock: NO_TIMERS,
    migrate: false,
    supervise: false,
    schedule: false,
    registerInstance: false,
  })
  const cause = await boss.start().then(
    () => null,
    (error: unknown) => error,
  )
  if (cause === null) return boss
  // Whatever else is wrong with the database has a name already.
  if (!(cause instanceof Error) || !/pg-boss/.test(cause.message)) throw cause
  throw new SluiceError('store_version', `the queue in this database is not of this version (${cause.message})`, {
    hint: 'Run `sluice migrate`.',
    cause,
  })
}

/** Each job's messages of a priority come behind those it has. */
async function insertMessages(boss: PgBoss, db: Handle, messages: readonly NewMessage[]): Promise<void> {
  for (const group of Map.groupBy(messages, (message) => `${priorityOf(message)}/${message.task.jobNo}`).values()) {
    const { task, tenantNo } = group[0] as NewMessage
    const priority = priorityOf(group[0] as NewMessage)
    const first = await turnOf(db, { jobNo: task.jobNo, tenantNo, priority })
    const level = await readFront(db)
    const jobs = group.map((message, n) => {
      const data = { task: nameOf(message.task), turn: first + n * TURN, level }
      return jobOf(message, data, priority, message.delayMs ?? 0)
    })
    await boss.insert(QUEUE, jobs, over(db))
  }
}

function priorityOf({ task, priority }: NewMessage): number {
  return task.kind === 'finalize' ? END : PRIORITIES[priority]
}

async function turnOf(db: Handle, place: Parameters<typeof readTurns>[1]): Promise<number> {
  const { last, front } = await readTurns(db, place)
  return nextTurn(last, front)
}

/** A message as pg-boss's job: the task is its singleton key, the tenant its group, and sluice's job the tier. */
function jobOf(
  { task, tenantNo }: Pick<NewMessage, 'task' | 'tenantNo'>,
  data: MessageData,
  priority: number,
  delayMs: number,
): JobInsert<MessageData> {
  return {
    data,
    priority,
    singletonKey: data.task,
    group: { id: String(tenantNo), tier: String(task.jobNo) },
    startAfter: delayMs / 1000,
  }
}

function deliveryOf(row: FetchedRow): Delivery {
  return {
    messageId: row.data.task,
    task: taskOf(row.data.task),
    tenantNo: Number(row.group_id),
    receipt: `${row.id}:${row.retry_count}`,
    deliveries: row.retry_count + 1,
    charged: row.data.charged ?? 0,
  }
}

function attemptOf({ receipt }: Delivery): JobAttempt | null {
  const [, id, retryCount] = RECEIPT.exec(receipt) ?? []
  return id === undefined ? null : { id, retryCount: Number(retryCount) }
}

function receiptOf({ id, retryCount }: JobAttempt): string {
  return `${id}:${retryCount}`
}

/** How many messages a call of pg-boss has changed. It says so by `affected`, which its types leave out, and never throws. */
function affectedBy(response: object): number {
  if ('affected' in response && typeof response.affected === 'number') return response.affected
  throw new SluiceError('internal', 'pg-boss did not say how many messages it has changed')
}
