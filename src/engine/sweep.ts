import type { Blob } from '../blob/blob.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'
import { folderOf } from './receive-file.ts'

/** How long the answer to an `Idempotency-Key` is kept: whoever asks again does so within a day. */
const ANSWERS_KEPT_MS = 24 * 3_600_000
/** Files that one turn removes: a turn must not last. */
const FILES_AT_ONCE = 100

/**
 * Throws away what is of no more use: files whose time is over, inputs whose rows are in their job's snapshot, and answers that were kept for whoever might ask again. A turn that dies leaves the rest to the next.
 */
export async function sweep(deps: {
  readonly store: Pick<Store, 'files' | 'requests'>
  readonly blob: Pick<Blob, 'removeAll'>
  readonly runtime: Pick<Runtime, 'now'>
}): Promise<void> {
  const { store, blob, runtime } = deps
  const nowMs = runtime.now()
  await store.requests.forget(nowMs - ANSWERS_KEPT_MS)
  const gone = [...(await store.files.expired(nowMs, FILES_AT_ONCE)), ...(await store.files.spentInputs(FILES_AT_ONCE))]
  for (const { id, tenantNo } of gone) {
    // Its bytes first: what is left of them could not be found any more once the file is off the list.
    await blob.removeAll(folderOf(id))
    await store.files.remove(tenantNo, id)
  }
}
