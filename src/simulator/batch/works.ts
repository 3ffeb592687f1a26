import type { House } from '../visit.ts'
import { answerRows, type BookRow } from './answer-rows.ts'
import type { Batch, NewFile, StoredFile } from './batch.ts'
import type { Shelf } from './shelf.ts'

/** Works the answers of batches out, one batch after the other, when their time has come. */
export interface Works {
  /** Begins with a batch whose time has come, and looks again at one whose time has not. */
  watch(batch: Batch): void
  isWorking(): boolean
  /** Resolves when all of these are worked out whose time has come. Rejects where one could not be. */
  settled(batches: readonly Batch[]): Promise<void>
  /** Begins with nothing more; resolves when what was begun is over. */
  close(): Promise<void>
}

/** Nobody works yet. Files of results are handed to `keep`. */
export function createWorks(house: House, shelf: Shelf, book: BookRow, keep: (file: NewFile) => StoredFile): Works {
  const { nowMs, after } = house.options
  const begun = new Set<Batch>()
  const alarms = new Map<Batch, () => void>()
  let line: Promise<void> = Promise.resolve()
  let waiting = 0
  let isClosed = false
  let broken: unknown = null

  const begin = (batch: Batch) => {
    begun.add(batch)
    waiting += 1
    line = line
      .then(() => (isClosed ? undefined : workOut(house, shelf, batch, book, keep)))
      .catch((error: unknown) => {
        broken ??= error
      })
      .finally(() => {
        waiting -= 1
      })
  }
  const watch = (batch: Batch) => {
    alarms.get(batch)?.()
    alarms.delete(batch)
    if (isClosed || batch.workedMs !== null || begun.has(batch)) return
    const restMs = batch.course.ranMs - nowMs()
    if (restMs <= 0) begin(batch)
    else if (after !== null)
      alarms.set(
        batch,
        after(Math.min(MAX_TIMER_MS, Math.ceil(restMs)), () => watch(batch)),
      )
  }
  return Object.freeze({
    watch,
    isWorking: () => waiting > 0,
    settled: async (batches: readonly Batch[]) => {
      for (const batch of batches) watch(batch)
      await line
      if (broken !== null) throw broken
    },
    close: async () => {
      isClosed = true
      for (const stop of alarms.values()) stop()
      alarms.clear()
      await line
    },
  })
}

/** Longer timers fire at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1

async function workOut(
  house: House,
  shelf: Shelf,
  batch: Batch,
  book: BookRow,
  keep: (file: NewFile) => StoredFile,
): Promise<void> {
  const { course, format, provider, id } = batch
  if (course.end === 'expired' && format.losesExpired) batch.counts.expired = batch.survey.requests
  // A batch that is cancelled before it was looked at has no requests yet, as its provider sees it.
  else if (!(format.splitsErrors && course.cancelledMs !== null && course.cancelledMs < course.validatedMs)) {
    const made = await answerRows(house, batch, shelf, book)
    const named = { provider, survey: null }
    if (made.output !== null) batch.output = keep({ ...named, ...made.output, name: `${id}_output.jsonl` })
    if (made.errors !== null) batch.errors = keep({ ...named, ...made.errors, name: `${id}_error.jsonl` })
  }
  batch.workedMs = house.options.nowMs()
  if (batch.input.isDeleted || batch.isInline) await shelf.remove(batch.input.path)
}
