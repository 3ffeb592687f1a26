import type { Blob } from '../blob/blob.ts'
import type { StoredFile } from '../domain/stored-file.ts'
import type { Events } from '../events.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'
import { folderOf } from './receive-file.ts'

/** How long the answer to an `Idempotency-Key` is kept: whoever asks again does so within a day. */
const ANSWERS_KEPT_MS = 24 * 3_600_000
/** Files that are asked for at a time. */
const FILES_AT_ONCE = 100
/** After how long a turn takes up no more files: it must not last. */
const TURN_MS = 20_000
/** Files that may fail in a turn: each may have been waited for, and a storage that does not answer fails all of them. */
const FAILURES = 5

/** What is swept, and who hears of what could not be. */
interface SweepDeps {
  readonly store: Pick<Store, 'files' | 'requests'>
  readonly blob: Pick<Blob, 'removeAll'>
  readonly events: Pick<Events, 'emit'>
  readonly runtime: Pick<Runtime, 'now' | 'elapsed'>
}

/**
 * Throws away, turn by turn, what is of no more use: files whose time is over, inputs whose rows are in their job's snapshot, and answers that were kept for whoever
 * might ask again. A turn that dies, or whose time is up, leaves the rest to the next. A file that cannot be removed is told of, and holds up no other: it is tried
 * again when all others are gone.
 */
export function createSweep(deps: SweepDeps): () => Promise<void> {
  const { store, runtime } = deps
  /** What could not be removed, by id. */
  const stuck = new Set<string>()
  return async () => {
    const nowMs = runtime.now()
    await store.requests.forget(nowMs - ANSWERS_KEPT_MS)
    const until = { elapsedMs: runtime.elapsed() + TURN_MS, stuck: stuck.size + FAILURES }
    const isOver =
      (await removeFiles(deps, stuck, until, (limit) => store.files.expired(nowMs, limit))) &&
      (await removeFiles(deps, stuck, until, (limit) => store.files.spentInputs(limit)))
    if (isOver) stuck.clear()
  }
}

/** Removes the files that `next` gives, until it gives no other than those that are stuck. `false`: the turn was over before. */
async function removeFiles(
  deps: SweepDeps,
  stuck: Set<string>,
  until: { readonly elapsedMs: number; readonly stuck: number },
  next: (limit: number) => Promise<readonly StoredFile[]>,
): Promise<boolean> {
  for (;;) {
    const files = (await next(FILES_AT_ONCE + stuck.size)).filter(({ id }) => !stuck.has(id))
    if (files.length === 0) return true
    for (const file of files) {
      if (stuck.size >= until.stuck || deps.runtime.elapsed() > until.elapsedMs) return false
      if (!(await removeFile(deps, file))) stuck.add(file.id)
    }
  }
}

/** `false`: its bytes could not be removed, and it stays. */
async function removeFile({ store, blob, events }: SweepDeps, { id, tenantNo }: StoredFile): Promise<boolean> {
  try {
    // Its bytes first: what is left of them could not be found any more once the file is off the list.
    await blob.removeAll(folderOf(id))
  } catch (error) {
    const message = `${id} could not be removed: ${error instanceof Error ? error.message : String(error)}`
    events.emit('duty.failed', { role: 'janitor', jobNo: null, message })
    return false
  }
  await store.files.remove(tenantNo, id)
  return true
}
