import type { DatabaseSync } from 'node:sqlite'
import { prepareInsert } from './sqlite-statement.ts'

/** Answers that wait until they are merged: each lookup looks at all of them. */
const MERGE_AT = 4_096

/**
 * Keeps answers cheap to write. Their keys are random: put in their places one by one, each would change a page of its own, which was more than
 * half of what a row's commit wrote. So they are appended first, and merged by the thousand in the order of their keys.
 */
export interface SqliteAnswers {
  add(answerKey: Uint8Array, jobNo: number, rowIndex: number): void
  /** Merges what waits, once it is enough. */
  merge(): void
}

/** Prepares the statements on `handle`; all run inside the caller's transaction. */
export function sqliteAnswers(handle: DatabaseSync): SqliteAnswers {
  const statements = {
    add: prepareInsert(handle, 'answers_recent', ['answer_key', 'job_no', 'row_index']),
    // Two lookups at the ends of the table; a count would go over it.
    waiting: handle.prepare(
      'select (select max(entry_no) from answers_recent) - (select min(entry_no) from answers_recent) as entries',
    ),
    merge: handle.prepare(
      `insert into answers select answer_key, job_no, row_index from answers_recent order by answer_key, entry_no
       on conflict do update set job_no = excluded.job_no, row_index = excluded.row_index`,
    ),
    clear: handle.prepare('delete from answers_recent'),
  }
  return Object.freeze({
    add(answerKey: Uint8Array, jobNo: number, rowIndex: number) {
      statements.add.run(answerKey, jobNo, rowIndex)
    },
    merge() {
      const { entries } = statements.waiting.get() as { readonly entries: number | null }
      if ((entries ?? 0) < MERGE_AT) return
      statements.merge.run()
      statements.clear.run()
    },
  })
}
