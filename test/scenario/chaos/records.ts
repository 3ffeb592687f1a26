import pg from 'pg'
import { onlooker } from '../../postgres/onlooker.ts'
import type { LoggedRequest } from '../simulated-provider.ts'
import {
  compareLedgers,
  dashed,
  type EndedRow,
  type LedgerLine,
  type ResultRow,
  type TwoLedgers,
} from '../two-ledgers.ts'

/**
 * Keeps watch over the tables while the trial goes on: notes each outcome with the epoch of its chunk as it is written, and the worker whose
 * session wrote it; and refuses nothing. A chunk's rows are written while it is leased; intake's unreadable lines are not of this trial.
 */
export const AUDIT = `
create table chaos_outcomes (
  seq bigserial, job_no bigint, chunk_no bigint, row_index bigint, worker text, epoch bigint, state text, owner text);
create function chaos_note() returns trigger language plpgsql as $$
begin
  insert into chaos_outcomes (job_no, chunk_no, row_index, worker, epoch, state, owner)
    select new.job_no, new.chunk_no, new.row_index, current_setting('chaos.worker', true), c.epoch, c.state, c.owner
    from chunks c where c.job_no = new.job_no and c.chunk_no = new.chunk_no;
  return null;
end $$;
create trigger chaos_note after insert on rows for each row execute function chaos_note();`

/** What the tables say in the end, each a promise's figure. */
export interface Records {
  readonly outcomes: number
  /** Outcomes of chunks that were not leased, or that two workers wrote in one epoch. */
  readonly outcomesOutOfTurn: number
  /** Rows that succeeded without a booked attempt that was accepted. */
  readonly outcomesUnpaid: number
  /** Jobs by state. */
  readonly states: Readonly<Record<string, number>>
  /** Jobs whose totals differ from the sums of their ledger. */
  readonly totalsWrong: number
  /** Attempts that still stand open, and chunks that are not done. */
  readonly leftOpen: number
  /** Ids of the attempts that were booked as lost. */
  readonly lostIds: readonly string[]
}

/** Compares what the database holds with the provider's bill and with the results. */
export async function judge(
  databaseUrl: string,
  requests: readonly LoggedRequest[],
  results: readonly ResultRow[],
): Promise<Records & TwoLedgers> {
  const client = new pg.Client(onlooker(databaseUrl))
  await client.connect()
  try {
    const ask = async <T>(text: string) => (await client.query(text)).rows as readonly T[]
    const figure = async (text: string) => (await ask<{ n: number }>(text))[0]?.n ?? 0
    const ledger = (await ask<LedgerLine>(LEDGER)).map((line) => ({ ...line, id: dashed(line.id) }))
    const states = await ask<{ state: string; n: number }>('select state, count(*) as n from jobs group by state')
    return {
      ...compareLedgers(ledger, await ask<EndedRow>(ENDED), requests, results),
      outcomes: await figure('select count(*) as n from rows'),
      outcomesOutOfTurn: (await figure(NOT_LEASED)) + (await figure(TWO_WRITERS)),
      outcomesUnpaid: await figure(UNPAID),
      states: Object.fromEntries(states.map(({ state, n }) => [state, n])),
      totalsWrong: await figure(TOTALS_WRONG),
      leftOpen: await figure(LEFT_OPEN),
      lostIds: ledger.filter(({ state }) => state === 'lost').map(({ id }) => id.replaceAll('-', '')),
    }
  } finally {
    await client.end()
  }
}

const LEDGER = `select encode(a.id, 'hex') as id, a.state, j.id || '/' || a.row_index as row, a.input_tokens as "inputTokens",
  a.output_tokens as "outputTokens", a.cost_nano as "costNano", a.started_at_ms as "startedAtMs"
  from attempts a join jobs j using (job_no)`

const ENDED = `select j.id || '/' || r.row_index as row, r.ended_at_ms as "endedAtMs" from rows r join jobs j using (job_no)`

const NOT_LEASED = `select count(*) as n from chaos_outcomes where state <> 'leased'`

const TWO_WRITERS = `select count(*) as n from (
  select 1 from chaos_outcomes group by job_no, chunk_no, epoch having count(distinct worker) > 1) twice`

const UNPAID = `select count(*) as n from rows r where r.state = 'succeeded' and not exists (
  select 1 from attempts a where a.job_no = r.job_no and a.chunk_no = r.chunk_no and a.row_index = r.row_index
    and a.state = 'booked' and a.cause is null)`

const TOTALS_WRONG = `select count(*) as n from jobs j, lateral (
  select count(*) as attempts, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cost_nano) as cost_nano
    from attempts a where a.job_no = j.job_no) l
  where (j.attempts, j.input_tokens, j.output_tokens, j.cost_nano) is distinct from (l.attempts, l.input_tokens, l.output_tokens, l.cost_nano)
    or j.succeeded + j.failed + j.skipped + j.cancelled <> j.rows_total`

const LEFT_OPEN = `select (select count(*) from attempts where state = 'open') + (select count(*) from chunks where state <> 'done') as n`
