import { batchAttemptId } from '../../src/batch/attempt-id.ts'
import { readRequestId } from '../../src/batch/request-lines.ts'
import type { BatchReport } from '../../src/simulator/batch/report.ts'
import type { Ask } from './batch-kill-moments.ts'
import type { LoggedRequest } from './simulated-provider.ts'
import type { ResultRow } from './two-ledgers.ts'

/** A line of the simulator's log, of a request in a batch. */
export type BatchedRequest = LoggedRequest & { readonly batch: string; readonly custom_id: string }

/** What the store and the simulator say of the batches of all jobs, and where they differ. */
export interface BatchLedgers {
  readonly rows: number
  readonly resultRows: number
  readonly distinctRows: number
  readonly statuses: Readonly<Record<string, number>>
  readonly shards: number
  readonly batches: number
  /** Shards that more than one batch worked on, by the shard's name or by the ids that were asked. */
  readonly sentTwice: number
  /** Requests that were billed more than once. */
  readonly billedTwice: number
  readonly billedRows: number
  readonly bookedRows: number
  /** Billed requests without a booked attempt of the same tokens and cost. */
  readonly bookedWrong: number
  /** Booked attempts with a cost that nobody billed. */
  readonly bookedUnbilled: number
  readonly ledgerNano: number
  readonly billNano: number
  /** Parts, shards, holdings, attempts and chunks that are left when the jobs are over. */
  readonly leftOpen: number
}

interface BookedLine {
  readonly id: string | Uint8Array
  readonly state: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNano: number
}

const LEDGER = `select id, state, input_tokens as "inputTokens", output_tokens as "outputTokens", cost_nano as "costNano"
  from attempts where lane = 'batch'`

const LEFT = `select
  (select count(*) from batch_parts where state <> 'closed')
  + (select count(*) from batch_shards where state not in ('collected', 'returned'))
  + (select count(*) from budget_holdings)
  + (select count(*) from attempts where state = 'open')
  + (select count(*) from chunks where state <> 'done') as n`

/** Holds the store's ledger of all batches against the simulator's log and its report. */
export async function compareBatchLedgers(
  ask: Ask,
  report: BatchReport,
  log: readonly BatchedRequest[],
  results: readonly ResultRow[],
): Promise<BatchLedgers> {
  const ledger = await ask<BookedLine>(LEDGER)
  const byId = new Map(ledger.map((line) => [digits(line.id), line]))
  const billed = log.filter((line) => line.billed)
  const billedIds = new Set(billed.map(({ custom_id }) => attemptOf(custom_id)))
  const worked = report.batches.filter(({ end }) => end !== 'failed')
  const [job] = await ask<{ n: number }>('select sum(rows_total) as n from jobs')
  const [left] = await ask<{ n: number }>(LEFT)
  return {
    rows: job?.n ?? 0,
    resultRows: results.length,
    distinctRows: new Set(results.map(({ row }) => row)).size,
    statuses: Object.fromEntries(
      Map.groupBy(results, ({ status }) => status)
        .entries()
        .map(([status, of]) => [status, of.length]),
    ),
    shards: Object.keys(report.shards).length,
    batches: report.batches.length,
    sentTwice:
      Object.values(report.shards).filter((shard) => shard.worked > 1).length +
      worked.length -
      new Set(worked.map(({ fingerprint }) => fingerprint)).size,
    billedTwice: billed.length - billedIds.size,
    billedRows: billed.length,
    bookedRows: ledger.filter(({ state, costNano }) => state === 'booked' && costNano > 0).length,
    bookedWrong: billed.filter((line) => !isBookedSo(byId.get(attemptOf(line.custom_id)), line)).length,
    bookedUnbilled: ledger.filter(({ id, costNano }) => costNano > 0 && !billedIds.has(digits(id))).length,
    ledgerNano: ledger.reduce((sum, line) => sum + line.costNano, 0),
    billNano: report.batches.reduce((sum, batch) => sum + batch.cost_nano, 0),
    leftOpen: left?.n ?? -1,
  }
}

/** What a kill must never do to batches: a line for each promise that was broken. */
export function brokenBatchPromises(figures: BatchLedgers): readonly string[] {
  const { rows, statuses, ...found } = figures
  const checks: readonly (readonly [boolean, string])[] = [
    [
      rows > 0 && found.resultRows === rows && found.distinctRows === rows,
      `${found.distinctRows} of ${rows} rows in ${found.resultRows} results`,
    ],
    [statuses.ok === rows, `every row should have succeeded: ${JSON.stringify(statuses)}`],
    [found.sentTwice === 0, `${found.sentTwice} shards were worked on more than once`],
    [found.billedTwice === 0, `${found.billedTwice} requests were billed twice`],
    [found.bookedRows === found.billedRows, `${found.bookedRows} attempts booked, ${found.billedRows} billed`],
    [found.bookedWrong === 0, `${found.bookedWrong} billed requests are not booked as billed`],
    [found.bookedUnbilled === 0, `${found.bookedUnbilled} booked attempts were not billed`],
    [found.ledgerNano === found.billNano, `the ledger says ${found.ledgerNano}, the bill ${found.billNano}`],
    [found.leftOpen === 0, `${found.leftOpen} parts, shards, holdings, attempts or chunks are open`],
  ]
  return checks.filter(([kept]) => !kept).map(([, text]) => text)
}

function attemptOf(customId: string): string {
  const place = readRequestId(nameIn(customId))
  if (place === null) throw new Error(`${customId} is no id of a request`)
  return digits(batchAttemptId(place.partId, place.rowIndex))
}

/** Requests within the call that creates a batch of Gemini's have their name in an object. */
function nameIn(customId: string): string {
  return customId.startsWith('{') ? (JSON.parse(customId) as { readonly key: string }).key : customId
}

function digits(id: string | Uint8Array): string {
  return typeof id === 'string' ? id.replaceAll('-', '') : Buffer.from(id).toString('hex')
}

function isBookedSo(line: BookedLine | undefined, bill: LoggedRequest): boolean {
  return (
    line?.state === 'booked' &&
    line.inputTokens === bill.input_tokens &&
    line.outputTokens === bill.output_tokens &&
    line.costNano === bill.cost_nano
  )
}
