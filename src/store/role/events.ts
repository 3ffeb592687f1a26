import type { StoreTx } from '../../domain/store-tx.ts'

export interface StoredEvent {
  readonly seq: number
  readonly atMs: number
  readonly type: string
  readonly data: string
}

export interface Events {
  /** Adds a durable event, numbered under its job. */
  append(tx: StoreTx, jobNo: number, type: string, data: object, atMs: number): Promise<void>
  list(jobNo: number, afterSeq: number, limit: number): Promise<readonly StoredEvent[]>
}
