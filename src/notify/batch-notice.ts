import type { BatchEnd, NewNotice, NoticeTarget } from '../domain/notice.ts'

/** The end of a batch of the OpenAI-compatible routes. */
export interface BatchEnded {
  /** `batch_` + UUIDv7. */
  readonly id: string
  readonly status: BatchEnd
  readonly atMs: number
}

/**
 * What the end of a batch has to tell, as OpenAI's webhooks do (resources/webhooks of its client): an event that names the batch. A batch ends once, so
 * notice and event take the UUID of its id: however often this is called, it is the same notice.
 */
export function batchNotice({ id, status, atMs }: BatchEnded, target: NoticeTarget): NewNotice {
  const uuid = id.replace(/^batch_/, '')
  const type = `batch.${status}` as const
  const created_at = Math.floor(atMs / 1000)
  const body = JSON.stringify({ id: `evt_${uuid}`, object: 'event', created_at, type, data: { id } })
  return { id: `msg_${uuid}`, targetNo: 0, target, type, body }
}
