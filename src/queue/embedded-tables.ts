import type { Generated } from 'kysely'

/** The embedded queue's table, in the store's database; the store's migrations make it. */
export interface QueueTables {
  messages: MessagesTable
}

export interface MessagesTable {
  /** Counts up: the age of a message. */
  message_no: Generated<number>
  /** Names the task; unique. */
  task: string
  job_no: number
  tenant_no: number
  /** 0 is first. */
  priority: number
  due_at_ms: number
  /** Both are null while the message waits. */
  lease_until_ms: number | null
  worker: string | null
  /** Raised by each fetch. */
  receipt: Generated<number>
  deliveries: Generated<number>
  /** Its place in line among messages of its priority (`turn.ts`). */
  turn: Generated<number>
  /** When its holder took it; null while it waits. */
  held_since_ms: number | null
}
