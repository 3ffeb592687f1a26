import type { LoggedRequest } from './simulated-provider.ts'

/** Names a row: its index, with its job's where there are several. */
export type RowName = string | number

/** One attempt as the store holds it. */
export interface LedgerLine {
  readonly id: string
  readonly state: string
  readonly row: RowName
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNano: number
  readonly startedAtMs: number
}

/** One outcome as the store holds it. */
export interface EndedRow {
  readonly row: RowName
  readonly endedAtMs: number
}

/** A line of the results, as far as it is looked at here. */
export interface ResultRow {
  readonly row: RowName
  readonly status: string
}

/** What the store says, what the provider billed, and where the two differ. */
export interface TwoLedgers {
  /** Rows of the results by status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly resultRows: number
  readonly distinctRows: number
  readonly requests: number
  /** Rows that were sent more than once. */
  readonly sentAgain: number
  /** Attempts that began after the outcome of their row was committed. */
  readonly sentAfterOutcome: number
  readonly booked: number
  readonly orphaned: number
  /** Booked and orphaned attempts whose tokens or cost are not what the simulator billed. */
  readonly bookedWrong: number
  readonly lost: number
  /** Requests that the simulator billed and that no attempt in the ledger stands for. */
  readonly billedUnknown: number
  /** Billed requests whose answer we never saw: each must be booked as lost. */
  readonly billedUnseen: number
  readonly billedUnseenNotLost: number
  readonly ledgerNano: number
  readonly billNano: number
}

/** Holds the store's ledger against the simulator's log of its requests. */
export function compareLedgers(
  ledger: readonly LedgerLine[],
  ended: readonly EndedRow[],
  requests: readonly LoggedRequest[],
  results: readonly ResultRow[],
): TwoLedgers {
  const endedAt = new Map(ended.map(({ row, endedAtMs }) => [row, endedAtMs]))
  const byId = new Map(ledger.map((line) => [line.id, line]))
  const billOf = new Map(requests.map((request) => [request.attempt, request]))
  const billed = requests.filter((request) => request.billed)
  const booked = ledger.filter((line) => line.state === 'booked')
  const orphaned = ledger.filter((line) => line.state === 'orphaned')
  const unseen = billed.filter((request) => !isSettled(byId.get(request.attempt ?? '')))
  return {
    statuses: countBy(results.map(({ status }) => status)),
    resultRows: results.length,
    distinctRows: new Set(results.map(({ row }) => row)).size,
    requests: requests.length,
    sentAgain: rowsSentAgain(requests, byId),
    sentAfterOutcome: ledger.filter((line) => line.startedAtMs > (endedAt.get(line.row) ?? Number.POSITIVE_INFINITY))
      .length,
    booked: booked.length,
    orphaned: orphaned.length,
    bookedWrong: [...booked, ...orphaned].filter((line) => !isBilledSo(line, billOf.get(line.id))).length,
    lost: ledger.filter((line) => line.state === 'lost').length,
    billedUnknown: billed.filter((request) => !byId.has(request.attempt ?? '')).length,
    billedUnseen: unseen.length,
    billedUnseenNotLost: unseen.filter((request) => byId.get(request.attempt ?? '')?.state !== 'lost').length,
    ledgerNano: ledger.reduce((sum, line) => sum + line.costNano, 0),
    billNano: billed.reduce((sum, request) => sum + request.cost_nano, 0),
  }
}

/** Whether the answer was seen, by whoever held the chunk then. */
function isSettled(line: LedgerLine | undefined): boolean {
  return line?.state === 'booked' || line?.state === 'orphaned'
}

/** An attempt that failed without an answer costs nothing on either side. */
function isBilledSo(line: LedgerLine, bill: LoggedRequest | undefined): boolean {
  if (bill === undefined) return line.inputTokens === 0 && line.outputTokens === 0 && line.costNano === 0
  return (
    bill.input_tokens === line.inputTokens &&
    bill.output_tokens === line.outputTokens &&
    bill.cost_nano === line.costNano
  )
}

function rowsSentAgain(requests: readonly LoggedRequest[], byId: ReadonlyMap<string, LedgerLine>): number {
  const rows = requests.flatMap((request) => byId.get(request.attempt ?? '')?.row ?? [])
  return Object.values(countBy(rows)).filter((times) => times > 1).length
}

function countBy(values: readonly RowName[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** The lines of a results file. */
export function parseResults(text: string): readonly ResultRow[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { readonly _row_index: number; readonly _status: string })
    .map((row) => ({ row: row._row_index, status: row._status }))
}

/** An attempt's id as it travels, from the hex of its bytes: a UUID with its dashes. */
export function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** A small generator of our own, so that a seed gives the same moments on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
