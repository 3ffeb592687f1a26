import type { DatabaseSync } from 'node:sqlite'
import type { AttemptFact, AttemptState } from '../domain/attempt.ts'
import { addCounters, type Counters, NO_COUNTS, TERMINAL_STATES } from '../domain/job.ts'
import { ENTRY_COLUMNS, entryValues, FACT_COLUMNS, factValues, INTENT_COLUMNS, intentValues } from './attempt-record.ts'
import { uuidBytes } from './bytes.ts'
import { COUNTER_COLUMNS, negated } from './counters.ts'
import { countersOfFigures, type Figures, figuresOf } from './figures.ts'
import { prepareCountOfJob, prepareInsert } from './sqlite-statement.ts'

/**
 * Books ended attempts. The counters of a job and its open chunks always add up to its ledger: what a live holder books comes into its chunk's
 * counters by its deltas; whatever the ledger gains or loses besides is corrected on the job's row, in the same transaction.
 */
export interface SqliteBooking {
  /**
   * Books an attempt of the chunk's holder, whose delta carries its figures; one that nobody noted before is entered. What an earlier holder has
   * booked too late is of use after all.
   */
  book(fact: AttemptFact): void
  /** Books an attempt whose holder's epoch has passed: paid for, and of no use. */
  orphan(fact: AttemptFact): void
}

/** Prepares the statements on `handle`. */
export function sqliteBooking(handle: DatabaseSync): SqliteBooking {
  const fact = FACT_COLUMNS.map((column) => `${column} = ?`).join(', ')
  const attempt = 'job_no = ? and chunk_no = ? and id = ?'
  const statements = {
    close: handle.prepare(`update attempts set state = 'booked', ${fact} where ${attempt} and state = 'open'`),
    rewrite: handle.prepare(`update attempts set state = ?, ${fact} where ${attempt}`),
    find: handle.prepare(
      `select state, input_tokens, cached_tokens, output_tokens, cost_nano from attempts where ${attempt}`,
    ),
    intend: prepareInsert(handle, 'attempts', INTENT_COLUMNS),
    correct: prepareCountOfJob(handle),
    enter: prepareInsert(handle, 'attempts', ENTRY_COLUMNS, 'on conflict do nothing'),
    change: handle.prepare('update jobs set ledger_version = ledger_version + 1 where job_no = ?'),
    changeLate: handle.prepare(
      `update jobs set ledger_version = ledger_version + 1 where job_no = ? and state in (${TERMINAL_STATES.map((state) => `'${state}'`).join(', ')})`,
    ),
  }

  const correct = (jobNo: number, difference: Counters) => {
    if (COUNTER_COLUMNS.every(([key]) => difference[key] === 0)) return
    statements.correct.run(...COUNTER_COLUMNS.map(([key]) => difference[key]), jobNo)
  }

  function settle(fact: AttemptFact, to: 'booked' | 'orphaned'): void {
    const { intent } = fact
    const id = [intent.jobNo, intent.chunkNo, uuidBytes(intent.id)] as const
    const stored = statements.find.get(...id) as (Figures & { readonly state: AttemptState }) | undefined
    const real = countersOfFigures(figuresOf(fact))
    const byDelta = to === 'booked' ? real : NO_COUNTS
    if (stored?.state === 'booked' || stored?.state === to) {
      // Said twice: it stands there exactly once.
      correct(intent.jobNo, negated(byDelta))
      return
    }
    if (stored === undefined) statements.intend.run(...intentValues(intent))
    statements.rewrite.run(to, ...factValues(fact), ...id)
    statements.change.run(intent.jobNo)
    // What an open one holds is its worst case, and was counted nowhere.
    const before = stored === undefined || stored.state === 'open' ? NO_COUNTS : countersOfFigures(stored)
    correct(intent.jobNo, addCounters(real, negated(addCounters(before, byDelta))))
  }

  return Object.freeze({
    book(fact: AttemptFact) {
      const { jobNo, chunkNo, id } = fact.intent
      const { changes } = statements.close.run(...factValues(fact), jobNo, chunkNo, uuidBytes(id))
      if (changes > 0) return
      const entered = statements.enter.run(...entryValues(fact))
      if (entered.changes === 0) settle(fact, 'booked')
      else statements.changeLate.run(jobNo)
    },
    orphan: (fact: AttemptFact) => settle(fact, 'orphaned'),
  })
}
