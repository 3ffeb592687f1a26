import type { AttemptFact, AttemptIntent, AttemptState } from '../domain/attempt.ts'
import { addCounters, type Counters, NO_COUNTS, TERMINAL_STATES } from '../domain/job.ts'
import { entryValues, factValues, intentValues } from './attempt-record.ts'
import { uuidBytes, uuidText } from './bytes.ts'
import { COUNTER_COLUMNS, negated } from './counters.ts'
import { countersOfFigures, type Figures, figuresOf } from './figures.ts'
import { batch, given } from './postgres-batch.ts'
import { ATTEMPT_KEY, COUNTERS, ENTRIES, FACTS, INTENTS } from './postgres-columns.ts'
import type { Session } from './postgres-session.ts'

const CLOSED = [...ATTEMPT_KEY, ...FACTS]
const REWRITTEN = [...ATTEMPT_KEY, ['to_state', 'text'] as const, ...FACTS]
const CORRECTED = [['job_no', 'int8'] as const, ...COUNTERS]

const SAME_ATTEMPT = ATTEMPT_KEY.map(([name]) => `attempts.${name} = given.${name}`).join(' and ')
const FACT = FACTS.map(([name]) => `${name} = given.${name}`).join(', ')

const intend = batch(
  'intend',
  INTENTS,
  `insert into attempts (${INTENTS.map(([name]) => name).join(', ')}) select * from ${given(INTENTS)} on conflict do nothing`,
)
const close = batch(
  'close',
  CLOSED,
  `update attempts set state = 'booked', ${FACT} from ${given(CLOSED)}
   where ${SAME_ATTEMPT} and attempts.state = 'open' returning attempts.id`,
)
const enter = batch(
  'enter',
  ENTRIES,
  `insert into attempts (${ENTRIES.map(([name]) => name).join(', ')}) select * from ${given(ENTRIES)}
   on conflict do nothing returning attempts.id`,
)
const find = batch(
  'find',
  ATTEMPT_KEY,
  `select attempts.id, state, input_tokens, cached_tokens, output_tokens, cost_nano
   from ${given(ATTEMPT_KEY)} join attempts on ${SAME_ATTEMPT}`,
)
const rewrite = batch(
  'rewrite',
  REWRITTEN,
  `update attempts set state = given.to_state, ${FACT} from ${given(REWRITTEN)} where ${SAME_ATTEMPT}`,
)
const correct = batch(
  'correct',
  CORRECTED,
  `update jobs set ledger_version = ledger_version + 1, ${COUNTERS.map(([name]) => `${name} = jobs.${name} + given.${name}`).join(', ')}
   from ${given(CORRECTED)} where jobs.job_no = given.job_no`,
)

const changeLate = batch(
  'change_late',
  [['job_no', 'int8']],
  `update jobs set ledger_version = ledger_version + 1 from ${given([['job_no', 'int8']])}
   where jobs.job_no = given.job_no and jobs.state in (${TERMINAL_STATES.map((state) => `'${state}'`).join(', ')})`,
)

/** An ended attempt, and what its sender is: the chunk's holder, whose delta carries its figures, or one whose epoch had passed. */
export interface EndedAttempt {
  readonly fact: AttemptFact
  readonly to: 'booked' | 'orphaned'
}

/** Notes attempts that are about to be sent; one that is noted stays as it is. */
export async function bookIntents(session: Session, intents: readonly AttemptIntent[]): Promise<void> {
  await intend.run(session, intents.map(intentValues))
}

/**
 * Books ended attempts. The counters of a job and its open chunks always add up to its ledger: what a live holder books comes into its chunk's
 * counters by its deltas; whatever the ledger gains or loses besides is corrected on the job's row.
 */
export async function bookFacts(session: Session, ended: readonly EndedAttempt[]): Promise<void> {
  const first = new Map<string, EndedAttempt>()
  const again: EndedAttempt[] = []
  for (const one of ended) {
    if (one.to === 'booked' && !first.has(one.fact.intent.id)) first.set(one.fact.intent.id, one)
    else again.push(one)
  }
  const rows = [...first.values()].map(({ fact }) => [...keyOf(fact), ...factValues(fact)])
  for (const { id } of await close.run<{ id: Uint8Array }>(session, rows)) first.delete(uuidText(id))
  if (first.size > 0) await enterUnnoted(session, first)
  if (first.size + again.length > 0) await settle(session, [...first.values(), ...again])
}

/** Enters attempts that nobody noted before they ended, and takes them out of `ended`. */
async function enterUnnoted(session: Session, ended: Map<string, EndedAttempt>): Promise<void> {
  const rows = [...ended.values()].map(({ fact }) => entryValues(fact))
  const jobs = new Set<number>()
  for (const row of await enter.run<{ id: Uint8Array }>(session, rows)) {
    const id = uuidText(row.id)
    const entered = ended.get(id)
    if (entered !== undefined) jobs.add(entered.fact.intent.jobNo)
    ended.delete(id)
  }
  await changeLate.run(
    session,
    [...jobs].sort((a, b) => a - b).map((jobNo) => [jobNo]),
  )
}

type Stored = Figures & { readonly state: AttemptState }

/** Books what was neither open nor new: lost meanwhile, sent by one who holds the chunk no more, or said twice. */
async function settle(session: Session, ended: readonly EndedAttempt[]): Promise<void> {
  const stored = await storedOf(session, ended)
  const unknown: AttemptIntent[] = []
  const rewritten: unknown[][] = []
  const corrections = new Map<number, Counters>()
  for (const { fact, to } of ended) {
    const { intent } = fact
    const before = stored.get(intent.id)
    const byDelta = to === 'booked' ? countersOfFigures(figuresOf(fact)) : NO_COUNTS
    const difference = isSaidTwice(before, to) ? negated(byDelta) : differenceOf(fact, byDelta, before)
    corrections.set(intent.jobNo, addCounters(corrections.get(intent.jobNo) ?? NO_COUNTS, difference))
    if (isSaidTwice(before, to)) continue
    if (before === undefined) unknown.push(intent)
    rewritten.push([...keyOf(fact), to, ...factValues(fact)])
    stored.set(intent.id, { ...figuresOf(fact), state: to })
  }
  await bookIntents(session, unknown)
  await rewrite.run(session, rewritten)
  await correctJobs(session, corrections)
}

/** It stands there exactly once. What an earlier holder booked too late is of use after all when the chunk's holder books it. */
function isSaidTwice(before: Stored | undefined, to: 'booked' | 'orphaned'): boolean {
  return before?.state === 'booked' || before?.state === to
}

/** What the job's counters gain besides what the chunk's gain by their delta. */
function differenceOf(fact: AttemptFact, byDelta: Counters, before: Stored | undefined): Counters {
  // What an open one holds is its worst case, and was counted nowhere.
  const counted = before === undefined || before.state === 'open' ? NO_COUNTS : countersOfFigures(before)
  return addCounters(countersOfFigures(figuresOf(fact)), negated(addCounters(counted, byDelta)))
}

async function storedOf(session: Session, ended: readonly EndedAttempt[]): Promise<Map<string, Stored>> {
  const keys = [...new Map(ended.map(({ fact }) => [fact.intent.id, keyOf(fact)])).values()]
  const rows = await find.run<Stored & { readonly id: Uint8Array }>(session, keys)
  return new Map(rows.map(({ id, ...figures }) => [uuidText(id), figures]))
}

async function correctJobs(session: Session, corrections: ReadonlyMap<number, Counters>): Promise<void> {
  const rows = [...corrections]
    .sort(([a], [b]) => a - b)
    .map(([jobNo, difference]) => [jobNo, ...COUNTER_COLUMNS.map(([key]) => difference[key])])
  await correct.run(session, rows)
}

function keyOf({ intent }: AttemptFact): readonly unknown[] {
  return [intent.jobNo, intent.chunkNo, uuidBytes(intent.id)]
}
