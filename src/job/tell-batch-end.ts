import type { NoticeTarget } from '../domain/notice.ts'
import { type BatchEnded, batchNotice } from '../notify/batch-notice.ts'
import type { Store } from '../store/store.ts'

/** A batch of the OpenAI-compatible routes, as far as its end is told of. */
export interface ToldBatch {
  readonly id: string
  readonly tenantNo: number
  /** The job that it became; `null`: its file did not pass. */
  readonly jobNo: number | null
  /** Who hears of it, a `NoticeTarget` as JSON; `null`: nobody. */
  readonly notify: string | null
}

/**
 * Writes down for whom it may concern that a batch has ended and its files are there. To be called before that is noted of the batch, so that whoever is
 * killed in between does both again: it is told once.
 */
export async function tellBatchEnd(
  { store }: { readonly store: Pick<Store, 'outbox'> },
  { id, tenantNo, jobNo, notify }: ToldBatch,
  end: Omit<BatchEnded, 'id'>,
): Promise<void> {
  if (notify === null) return
  const notice = batchNotice({ id, ...end }, JSON.parse(notify) as NoticeTarget)
  await store.outbox.putAlone({ tenantNo, jobNo }, notice, end.atMs)
}
