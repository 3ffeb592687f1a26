import type { DatabaseSync } from 'node:sqlite'
import type { AttemptFact, AttemptState } from '../domain/attempt.ts'
import { addCounters, type Counters, NO_COUNTS } from '../domain/job.ts'
import { FACT_COLUMNS, factValues, INTENT_COLUMNS, intentValues } from './attempt-record.ts'
import { uuidBytes } from './bytes.ts'
import { COUNTER_COLUMNS, negated } from './counters.ts'
import { countersOfFigures, type Figures, figuresOf } from './figures.ts'
import { prepareCountOfJob, prepareInsert } from './sqlite-statement.ts'

/**
 * Books ended attempts. The counters of a job and its open chunks always add up to its ledger: what a live holder books comes into its chunk's
 * counters by its deltas; whatever the ledger gains or loses besides is corrected on the job's row, in the same transaction.
 */
export interface SqliteBooking {
  /** Books an attempt of the chunk's holder, whose delta carries its figures. */
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
    change: handle.prepare('update jobs set ledger_version = ledger_version + 1 where job_no = ?'),
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
    if (stored?.state === 'booked' || stored?.state === 'orphaned') {
      // Said twice: it stands there exactly once.
      correct(intent.jobNo, negated(byDelta))
      return
    }
    if (stored === undefined) statements.intend.run(...intentValues(intent))
    statements.rewrite.run(to, ...factValues(fact), ...id)
    statements.change.run(intent.jobNo)
    const before = stored?.state === 'lost' ? countersOfFigures(stored) : NO_COUNTS
    correct(intent.jobNo, addCounters(real, negated(addCounters(before, byDelta))))
  }

  return Object.freeze({
    book(fact: AttemptFact) {
      const { jobNo, chunkNo, id } = fact.intent
      const { changes } = statements.close.run(...factValues(fact), jobNo, chunkNo, uuidBytes(id))
      if (changes === 0) settle(fact, 'booked')
    },
    orphan: (fact: AttemptFact) => settle(fact, 'orphaned'),
  })
}
