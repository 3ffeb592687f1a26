import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { StoreDatabase } from './database.ts'
import { GIVEN_FOR_MS, type LimitDraw, type LimitKnown, type LimitLearned, type Limits } from './role/limits.ts'
import type { LimitsTable } from './schema-limits.ts'

const KEY = ['account', 'kind', 'window_ms'] as const

/**
 * Shared limits as a generic cell rate algorithm (ITU-T I.371): of each limit one time is kept, up to which it is used up. A draw begins where the
 * latest ended, or `creditUs` before now where that is later, and ends by its cost after; it may be used once its end has come.
 */
export function limitsRole(database: StoreDatabase): Limits {
  const { reader, clock, aside } = database
  const nowUs = () => sql<number>`${clock()} * 1000`
  return Object.freeze({
    async draw(account, draws) {
      if (draws.length === 0) return { waitMs: 0, drawn: [] }
      const rows = await aside((db) =>
        db
          .insertInto('limits')
          .values(inOrder(draws).map((draw) => ({ ...keyOf(account, draw), ...firstDraw(draw, nowUs()) })))
          .onConflict((conflict) =>
            conflict.columns(KEY).doUpdateSet({
              drawn: sql`limits.drawn + excluded.drawn`,
              cost_us: sql`excluded.cost_us`,
              credit_us: sql`excluded.credit_us`,
              paid_to_us: sql`${begin(nowUs())} + excluded.cost_us`,
            }),
          )
          .returning(['kind', 'window_ms', 'drawn', sql<number>`paid_to_us - ${nowUs()}`.as('owed_us')])
          .execute(),
      )
      return {
        waitMs: Math.max(0, ...rows.map(({ owed_us }) => owed_us)) / 1000,
        drawn: rows.map(({ kind, window_ms, drawn }) => ({ kind, windowMs: window_ms, drawn })),
      }
    },

    async give(account, limits) {
      if (limits.length === 0) return
      await aside((db) =>
        db
          .insertInto('limits')
          .values(inOrder(limits).map((said) => ({ ...keyOf(account, said), given: said.limit, given_at_ms: clock() })))
          .onConflict((conflict) =>
            conflict
              .columns(KEY)
              .doUpdateSet({ given: sql`excluded.given`, given_at_ms: sql`excluded.given_at_ms` })
              .where(sql<boolean>`limits.given is null or excluded.given <= limits.given or not ${isGiven(clock())}`),
          )
          .execute(),
      )
    },

    async learn(account, limits, by) {
      if (limits.length === 0) return
      const word = ({ limit, how }: LimitLearned) => ({ learned: limit, learned_how: how, learned_by: by })
      await aside((db) =>
        db
          .insertInto('limits')
          .values(inOrder(limits).map((one) => ({ ...keyOf(account, one), ...word(one), learned_at_ms: clock() })))
          .onConflict((conflict) =>
            conflict.columns(KEY).doUpdateSet({
              learned: sql`excluded.learned`,
              learned_how: sql`excluded.learned_how`,
              learned_by: sql`excluded.learned_by`,
              learned_at_ms: sql`excluded.learned_at_ms`,
            }),
          )
          .execute(),
      )
    },

    async known(account) {
      const rows = await reader
        .selectFrom('limits')
        .selectAll()
        .select([
          sql<number>`${clock()} - learned_at_ms`.as('learned_ago_ms'),
          sql<number | null>`case when ${isGiven(clock())} then given end`.as('still_given'),
        ])
        .where('account', '=', account)
        .orderBy('kind')
        .orderBy('window_ms')
        .execute()
      return rows.map(knownOf)
    },
  } satisfies Limits)
}

interface Key {
  readonly kind: string
  readonly windowMs: number
}

function keyOf(account: string, { kind, windowMs }: Key) {
  return { account, kind, window_ms: windowMs }
}

/** The first draw on a limit finds nothing used. */
function firstDraw({ amount, costUs, creditUs }: LimitDraw, nowUs: RawBuilder<number>) {
  const paidTo = sql<number>`${nowUs} - ${creditUs} + ${costUs}`
  return { drawn: amount, paid_to_us: paidTo, cost_us: costUs, credit_us: creditUs }
}

/**
 * Where a draw begins. No later than a window from now: a clock that was set back, or a request that is larger than its limit, holds nobody up for
 * longer.
 */
function begin(nowUs: RawBuilder<number>) {
  const soonest = sql`${nowUs} - excluded.credit_us`
  const latest = sql`${nowUs} + excluded.window_ms * 1000`
  return sql<number>`case
    when limits.paid_to_us < ${soonest} then ${soonest}
    when limits.paid_to_us > ${latest} then ${latest}
    else limits.paid_to_us end`
}

function isGiven(nowMs: RawBuilder<number>) {
  return sql<boolean>`limits.given_at_ms > ${nowMs} - ${GIVEN_FOR_MS}`
}

/** Rows are locked one after the other: all who lock several do it in the same order. */
function inOrder<T extends Key>(limits: readonly T[]): readonly T[] {
  return limits.toSorted((a, b) => (a.kind === b.kind ? a.windowMs - b.windowMs : a.kind < b.kind ? -1 : 1))
}

interface KnownRow extends Selectable<LimitsTable> {
  readonly learned_ago_ms: number
  readonly still_given: number | null
}

function knownOf(row: KnownRow): LimitKnown {
  const { learned: limit, learned_how: how, learned_by: by, learned_at_ms: atMs } = row
  const isLearned = limit !== null && how !== null && by !== null && atMs !== null
  return {
    kind: row.kind,
    windowMs: row.window_ms,
    drawn: row.drawn,
    given: row.still_given,
    learned: isLearned ? { limit, how, by, atMs, agoMs: row.learned_ago_ms } : null,
  }
}
