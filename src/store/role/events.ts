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
  /** The job's events of a type so far, in order. Until `tx` ends nobody else adds one to the job: what is not there is news. */
  told(tx: StoreTx, jobNo: number, type: string): Promise<readonly StoredEvent[]>
  list(jobNo: number, afterSeq: number, limit: number): Promise<readonly StoredEvent[]>
}
