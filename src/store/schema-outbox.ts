import type { NoticeState, NoticeType } from '../domain/notice.ts'

/** What a change of a job has to tell one target; written with the change, and sent later. */
export interface OutboxTable {
  message_id: string
  tenant_no: number
  /** 0: no job. */
  job_no: number
  /** The number of the change among the events of its job; below 0 where it tells of no change. */
  event_seq: number
  target_no: number
  /** `NoticeTarget` as JSON: names of variables, never what is in them. */
  target: string
  type: NoticeType
  body: string
  state: NoticeState
  attempts: number
  created_at_ms: number
  /** When it may be taken to be sent; while somebody sends it: when another may take it for dead. */
  next_at_ms: number | null
  ended_at_ms: number | null
  note: string | null
  replayed_at_ms: number | null
}

/** An address to which nothing is sent any more: it has said so, or has taken nothing for days. */
export interface OutboxGoneTable {
  tenant_no: number
  /** sha-256 of the address, in hex: it may be a secret. */
  address_hash: string
  gone_at_ms: number
}
