import { type Kysely, sql } from 'kysely'
import type { AttemptFact } from '../domain/attempt.ts'
import { type Amount, chargeOf, NOTHING, plus } from '../domain/budget.ts'
import { addToDay } from './budget-day.ts'
import { keepDoubt } from './budget-doubt.ts'
import { uuidBytes, uuidText } from './bytes.ts'
import { inStatements } from './database.ts'
import type { PartFacts, PartHold } from './role/budgets.ts'
import type { Database } from './schema.ts'

/** Sets aside what parts can cost at the worst, out of a worker's grant or of nothing; `Budgets.hold` says what it guarantees. */
export async function holdForParts(
  db: Kysely<Database>,
  jobNo: number,
  workerId: string | null,
  holds: readonly PartHold[],
): Promise<boolean> {
  if (holds.length === 0) return true
  let day: number | null = null
  if (workerId !== null) {
    const sum = holds.map(({ worst }) => worst).reduce(plus, NOTHING)
    const grant = await db
      .updateTable('budget_grants')
      .set({ left_nano: sql`left_nano - ${sum.nano}`, left_tokens: sql`left_tokens - ${sum.tokens}` })
      .where('job_no', '=', jobNo)
      .where('worker_id', '=', workerId)
      .returning('day')
      .executeTakeFirst()
    if (grant === undefined) return false
    day = grant.day
  }
  const values = holds.map(({ partId, worst }) => {
    return { job_no: jobNo, part_id: partId, left_nano: worst.nano, left_tokens: worst.tokens, day }
  })
  for (const some of inStatements(values, 5)) await db.insertInto('budget_holdings').values(some).execute()
  return true
}

/** Takes ended attempts of one part out of its holding; `Budgets.bookParts` says what it guarantees. */
export async function bookPart(db: Kysely<Database>, { jobNo, chunkNo, partId, facts }: PartFacts): Promise<void> {
  const holding = () => db.updateTable('budget_holdings').where('job_no', '=', jobNo).where('part_id', '=', partId)
  // Changes nothing but locks the row: of two that book the same attempt, the second finds it in the ledger.
  await holding().set({ left_nano: sql`left_nano` }).execute()
  const known = await attemptsThere(db, jobNo, chunkNo, facts)
  const fresh = new Map(facts.filter(({ intent }) => !known.has(intent.id)).map((fact) => [fact.intent.id, fact]))
  const charges = [...fresh.values()].map((fact) => ({ fact, charge: chargeOf(fact) }))
  const taken = charges.map(({ fact, charge }) => atMostWorst(fact, plus(charge.used, charge.doubtful)))
  const { nano, tokens } = taken.reduce(plus, NOTHING)
  if (nano + tokens > 0)
    await holding()
      .set({ left_nano: sql`left_nano - ${nano}`, left_tokens: sql`left_tokens - ${tokens}` })
      .execute()
  await keepDoubt(db, jobNo, charges.map(({ charge }) => charge.doubtful).reduce(plus, NOTHING))
}

/** What its request was held for goes with an attempt, and no more: the rest is held for the others. */
function atMostWorst({ intent }: AttemptFact, { nano, tokens }: Amount): Amount {
  return {
    nano: Math.min(nano, intent.worstCostNano ?? nano),
    tokens: Math.min(tokens, intent.worstInputTokens + intent.worstOutputTokens),
  }
}

/** Which of the attempts are in the ledger with their end. */
async function attemptsThere(
  db: Kysely<Database>,
  jobNo: number,
  chunkNo: number,
  facts: readonly AttemptFact[],
): Promise<ReadonlySet<string>> {
  const there = new Set<string>()
  for (const some of inStatements(facts, 1)) {
    const rows = await db
      .selectFrom('attempts')
      .select('id')
      .where('job_no', '=', jobNo)
      .where('chunk_no', '=', chunkNo)
      .where(
        'id',
        'in',
        some.map(({ intent }) => uuidBytes(intent.id)),
      )
      .where('state', '<>', 'open')
      .execute()
    for (const { id } of rows) there.add(uuidText(id))
  }
  return there
}

/** Ends the holdings of parts: what is left of them is free again, for the job and for the tenant's day. */
export async function freeHoldings(db: Kysely<Database>, jobNo: number, partIds: readonly string[]): Promise<void> {
  for (const { left_nano, day } of await endHoldings(db, jobNo, partIds))
    if (day !== null) await addToDay(db, jobNo, day, -Math.max(0, left_nano))
}

/** Ends the holdings of parts: what is left of them may have been billed, and stays with the job. */
export async function doubtHoldings(db: Kysely<Database>, jobNo: number, partIds: readonly string[]): Promise<void> {
  const left = (await endHoldings(db, jobNo, partIds)).map(leftOf)
  await keepDoubt(db, jobNo, left.reduce(plus, NOTHING))
}

/** Ends all holdings of a job in the same way. */
export async function doubtAllHoldings(db: Kysely<Database>, jobNo: number): Promise<void> {
  const ended = await db.deleteFrom('budget_holdings').where('job_no', '=', jobNo).returningAll().execute()
  await keepDoubt(db, jobNo, ended.map(leftOf).reduce(plus, NOTHING))
}

async function endHoldings(db: Kysely<Database>, jobNo: number, partIds: readonly string[]) {
  const ended: Left[] = []
  for (const some of inStatements(partIds, 1)) {
    const rows = await db
      .deleteFrom('budget_holdings')
      .where('job_no', '=', jobNo)
      .where('part_id', 'in', some)
      .returning(['left_nano', 'left_tokens', 'day'])
      .execute()
    ended.push(...rows)
  }
  return ended
}

interface Left {
  readonly left_nano: number
  readonly left_tokens: number
  readonly day: number | null
}

function leftOf({ left_nano, left_tokens }: Left): Amount {
  return { nano: Math.max(0, left_nano), tokens: Math.max(0, left_tokens) }
}

/** The sum of what is left of a job's holdings, as columns of a query on `jobs`: of one moment with whatever else that reads. */
export function heldForParts(db: Kysely<Database>) {
  const sum = (column: 'left_nano' | 'left_tokens', name: string) =>
    db
      .selectFrom('budget_holdings')
      .select(sql<number | null>`sum(case when ${sql.ref(column)} > 0 then ${sql.ref(column)} else 0 end)`.as(name))
      .where('budget_holdings.job_no', '=', sql.ref<number>('jobs.job_no'))
  return [sum('left_nano', 'sum').as('held_nano'), sum('left_tokens', 'sum').as('held_tokens')] as const
}
