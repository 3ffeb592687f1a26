import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type LoggedRequest, startSimulatedProvider } from './simulated-provider.ts'
import { sluice, startSluice, until } from './sluice-process.ts'

/** What one trial is made of. */
export interface KillTrial {
  /** An empty folder. */
  readonly dir: string
  readonly inputPath: string
  /** The spec's lines between `input` and the end, without `model`. */
  readonly specBody: string
  readonly kills: number
  readonly seed: number
  readonly concurrency: number
  /** Median latency of the simulated provider. */
  readonly latencyMs: number
  readonly log?: (line: string) => void
}

/** What a trial found; each line of the promise has its figure. */
export interface KillFigures {
  readonly rows: number
  readonly kills: number
  /** Rows of the results by status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly resultRows: number
  readonly distinctRows: number
  readonly requests: number
  /** Rows that were sent more than once. */
  readonly sentAgain: number
  /** Attempts that stood open in the ledger right after a kill: rows in flight then, over all kills. */
  readonly inFlightAtKills: number
  /** Attempts that began after the outcome of their row was committed. */
  readonly sentAfterOutcome: number
  readonly booked: number
  /** Booked attempts whose tokens or cost are not what the simulator billed. */
  readonly bookedWrong: number
  readonly lost: number
  /** Requests that the simulator billed and that no attempt in the ledger stands for. */
  readonly billedUnknown: number
  /** Billed requests whose answer we never saw: each must be booked as lost. */
  readonly billedUnseen: number
  readonly billedUnseenNotLost: number
  readonly ledgerNano: number
  readonly billNano: number
  readonly finalExit: number | string
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

const PRICE_INPUT = '0.25'
const PRICE_OUTPUT = '2.00'

/** Runs a job against the simulator's server, kills it with SIGKILL at random moments, resumes it to the end, and compares the two ledgers. */
export async function runKillTrial(trial: KillTrial): Promise<KillFigures> {
  await mkdir(trial.dir, { recursive: true })
  const provider = await startSimulatedProvider(
    [
      '--latency',
      `${trial.latencyMs}ms`,
      '--latency-p99',
      `${trial.latencyMs * 4}ms`,
      '--price-input',
      PRICE_INPUT,
      '--price-output',
      PRICE_OUTPUT,
    ],
    join(trial.dir, 'requests.ndjson'),
  )
  try {
    const spec = join(trial.dir, 'spec.yaml')
    await writeFile(spec, specText(trial, provider.url))
    const dataDir = join(trial.dir, 'data')
    const { inFlight, job } = await killRepeatedly(trial, spec, dataDir)
    const last = await sluice(['resume', job, '--data-dir', dataDir])
    const results = join(trial.dir, 'results.jsonl')
    await sluice(['results', job, '--data-dir', dataDir, '-o', results])
    return {
      ...compare(dataDir, provider.requests(), await readResults(results)),
      kills: trial.kills,
      inFlightAtKills: inFlight,
      finalExit: last.code,
    }
  } finally {
    await provider.stop()
  }
}

function specText(trial: KillTrial, url: string): string {
  return `version: 1
name: kill-trial
input: { source: ${JSON.stringify(trial.inputPath)} }
model:
  id: openai-compatible/simulated
  base_url: ${url}/v1
  params: { max_output_tokens: 200 }
  price: { input: "${PRICE_INPUT}", output: "${PRICE_OUTPUT}" }
execution: { concurrency: { max: ${trial.concurrency} }, cache: off }
${trial.specBody}`
}

/** Starts, kills, resumes … at moments drawn from the seed; returns how many attempts stood open after the kills. */
async function killRepeatedly(trial: KillTrial, spec: string, dataDir: string) {
  const random = seeded(trial.seed)
  const inFlight = new Set<string>()
  let job = ''
  for (let kill = 0; kill < trial.kills; kill += 1) {
    const args = job === '' ? ['run', spec] : ['resume', job]
    const running = startSluice([...args, '--data-dir', dataDir])
    let over = false
    const end = running.ended.then(() => {
      over = true
    })
    const before = ended(dataDir)
    // Kills fall anywhere: while the job starts, and while it runs. Now and then it must get on, or the trial would never end.
    if (kill % 2 === 1) await until(() => over || ended(dataDir) > before, 'a resumed job gets on')
    const patience = random() * 1_500
    const start = performance.now()
    await until(() => over || performance.now() - start > patience, 'the moment of the kill')
    running.child.kill('SIGKILL')
    await end
    const open = openAttempts(dataDir)
    for (const id of open) inFlight.add(id)
    if (job === '') job = jobId(dataDir)
    trial.log?.(`kill ${kill + 1}: ${ended(dataDir)} rows done, ${open.length} open in the ledger`)
  }
  if (job === '') throw new Error('no kill left a job behind')
  return { inFlight: inFlight.size, job }
}

/** Reads the job's database as any other process may. Nothing, where there is none yet. */
function query<T>(dataDir: string, sql: string): readonly T[] {
  const path = join(dataDir, 'sluice.db')
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    return database.prepare(sql).all() as unknown as readonly T[]
  } catch (error) {
    // Killed before its first migration.
    if (error instanceof Error && error.message.includes('no such table')) return []
    throw error
  } finally {
    database.close()
  }
}
const ended = (dataDir: string) => query<{ n: number }>(dataDir, 'select count(*) as n from rows')[0]?.n ?? 0
const openAttempts = (dataDir: string) =>
  query<{ id: string }>(dataDir, "select hex(id) as id from attempts where state = 'open'").map((row) => row.id)
const jobId = (dataDir: string) =>
  query<{ id: string }>(dataDir, 'select id from jobs order by job_no desc limit 1')[0]?.id ?? ''

interface LedgerLine {
  readonly id: string
  readonly state: string
  readonly rowIndex: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNano: number
  readonly startedAtMs: number
}

const LEDGER = `select lower(hex(id)) as id, state, row_index as rowIndex, input_tokens as inputTokens, output_tokens as outputTokens,
  cost_nano as costNano, started_at_ms as startedAtMs from attempts`

function compare(dataDir: string, requests: readonly LoggedRequest[], results: readonly ResultRow[]) {
  const ledger = query<LedgerLine>(dataDir, LEDGER).map((line) => ({ ...line, id: dashed(line.id) }))
  const outcomes = new Map(
    query<{ i: number; at: number }>(dataDir, 'select row_index as i, ended_at_ms as at from rows').map((row) => [
      row.i,
      row.at,
    ]),
  )
  const byId = new Map(ledger.map((line) => [line.id, line]))
  const billed = requests.filter((request) => request.billed)
  const rowsSent = new Map<number, number>()
  for (const request of requests) {
    const line = byId.get(request.attempt ?? '')
    if (line !== undefined) rowsSent.set(line.rowIndex, (rowsSent.get(line.rowIndex) ?? 0) + 1)
  }
  const billOf = new Map(requests.map((request) => [request.attempt, request]))
  const booked = ledger.filter((line) => line.state === 'booked')
  const isWrong = (line: LedgerLine) => {
    const bill = billOf.get(line.id)
    if (bill === undefined) return true
    return (
      bill.input_tokens !== line.inputTokens ||
      bill.output_tokens !== line.outputTokens ||
      bill.cost_nano !== line.costNano
    )
  }
  const unseen = billed.filter((request) => byId.get(request.attempt ?? '')?.state !== 'booked')
  const statuses: Record<string, number> = {}
  for (const row of results) statuses[row._status] = (statuses[row._status] ?? 0) + 1
  return {
    rows: query<{ n: number }>(dataDir, 'select rows_total as n from jobs order by job_no desc limit 1')[0]?.n ?? 0,
    statuses,
    resultRows: results.length,
    distinctRows: new Set(results.map((row) => row._row_index)).size,
    requests: requests.length,
    sentAgain: [...rowsSent.values()].filter((times) => times > 1).length,
    sentAfterOutcome: ledger.filter(
      (line) => line.startedAtMs > (outcomes.get(line.rowIndex) ?? Number.POSITIVE_INFINITY),
    ).length,
    booked: booked.length,
    bookedWrong: booked.filter(isWrong).length,
    lost: ledger.filter((line) => line.state === 'lost').length,
    billedUnknown: billed.filter((request) => !byId.has(request.attempt ?? '')).length,
    billedUnseen: unseen.length,
    billedUnseenNotLost: unseen.filter((request) => byId.get(request.attempt ?? '')?.state !== 'lost').length,
    ledgerNano: ledger.reduce((sum, line) => sum + line.costNano, 0),
    billNano: billed.reduce((sum, request) => sum + request.cost_nano, 0),
  }
}

/** The attempt id as it travels: a UUID with its dashes. */
function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

interface ResultRow {
  readonly _row_index: number
  readonly _status: string
}

async function readResults(path: string): Promise<readonly ResultRow[]> {
  const text = await readFile(path, 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultRow)
}
