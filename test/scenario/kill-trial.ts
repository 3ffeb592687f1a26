import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type LoggedRequest, startSimulatedProvider } from './simulated-provider.ts'
import { sluice, startSluice, until } from './sluice-process.ts'
import {
  compareLedgers,
  dashed,
  type EndedRow,
  type LedgerLine,
  parseResults,
  type ResultRow,
  seeded,
  type TwoLedgers,
} from './two-ledgers.ts'

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
export interface KillFigures extends TwoLedgers {
  readonly rows: number
  readonly kills: number
  /** Attempts that stood open in the ledger right after a kill: rows in flight then, over all kills. */
  readonly inFlightAtKills: number
  readonly finalExit: number | string
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
      ...compare(dataDir, provider.requests(), parseResults(await readFile(results, 'utf8'))),
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

const LEDGER = `select lower(hex(id)) as id, state, row_index as row, input_tokens as inputTokens, output_tokens as outputTokens,
  cost_nano as costNano, started_at_ms as startedAtMs from attempts`

function compare(dataDir: string, requests: readonly LoggedRequest[], results: readonly ResultRow[]) {
  const ledger = query<LedgerLine>(dataDir, LEDGER).map((line) => ({ ...line, id: dashed(line.id) }))
  const ended = query<EndedRow>(dataDir, 'select row_index as row, ended_at_ms as endedAtMs from rows')
  return {
    rows: query<{ n: number }>(dataDir, 'select rows_total as n from jobs order by job_no desc limit 1')[0]?.n ?? 0,
    ...compareLedgers(ledger, ended, requests, results),
  }
}
