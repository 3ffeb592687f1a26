import type { DatabaseSync } from 'node:sqlite'
import type { AnswerTake } from './database.ts'
import { mapped } from './sqlite-failure.ts'
import { prepareInsert } from './sqlite-statement.ts'

/** Answers that wait until they are merged. */
const MERGE_AT = 4_096

/**
 * Prepares the writing of answers on `handle`, inside the caller's transaction: nobody else writes meanwhile, so that all are taken.
 *
 * Answers are cheap to write. Their keys are random: put in their places one by one, each would change a page of its own, which was more than
 * half of what a row's commit wrote. So they are appended first, and merged by the thousand in the order of their keys.
 */
export function sqliteAnswers(handle: DatabaseSync): <T extends AnswerTake>(takes: readonly T[]) => readonly T[] {
  const statements = {
    add: prepareInsert(handle, 'answers_recent', ['answer_key', 'job_no', 'row_index', 'chunk_no', 'epoch']),
    // Two lookups at the ends of the table; a count would go over it.
    waiting: handle.prepare(
      'select (select max(entry_no) from answers_recent) - (select min(entry_no) from answers_recent) as entries',
    ),
    merge: handle.prepare(
      `insert into answers (answer_key, job_no, row_index, chunk_no, epoch)
       select answer_key, job_no, row_index, chunk_no, epoch from answers_recent order by answer_key, entry_no
       on conflict do update set
         job_no = excluded.job_no, row_index = excluded.row_index, chunk_no = excluded.chunk_no, epoch = excluded.epoch`,
    ),
    clear: handle.prepare('delete from answers_recent'),
  }
  const merge = () => {
    const { entries } = statements.waiting.get() as { readonly entries: number | null }
    if ((entries ?? 0) < MERGE_AT) return
    statements.merge.run()
    statements.clear.run()
  }
  return (takes) =>
    mapped(() => {
      for (const { key, by } of takes) statements.add.run(key, by.jobNo, by.rowIndex, by.chunkNo, by.epoch)
      if (takes.length > 0) merge()
      return takes
    })
}
