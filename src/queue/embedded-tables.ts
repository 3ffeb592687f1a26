import type { Generated } from 'kysely'

/** The embedded queue's table, in the store's database; the store's migrations make it. */
export interface QueueTables {
  messages: MessagesTable
  tenants: { tenant_no: number }
}

export interface MessagesTable {
  /** Counts up: the age of a message. */
  message_no: Generated<number>
  /** Names the task; unique. */
  task: string
  job_no: number
  tenant_no: number
  /** -1 is an end of a round, which goes before all others; of the others, 0 is first. */
  priority: number
  due_at_ms: number
  /** Both are null while the message waits. */
  lease_until_ms: number | null
  worker: string | null
  /** Raised by each fetch. */
  receipt: Generated<number>
  deliveries: Generated<number>
  /** Its place in line among its tenant's messages of its priority (`turn.ts`). */
  turn: Generated<number>
  /** When its holder took it; null while it waits. */
  held_since_ms: number | null
  /** What its tenant was charged when it was given out (`tenant-turns.ts`); 0: nothing yet. */
  charged: Generated<number>
  /** Where the line of tenants stood when it came. */
  level: Generated<number>
}
