import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { type Percentiles, percentiles } from './percentiles.ts'
import { startSluice } from './sluice-process.ts'
import { ticketSpec, tickets } from './ticket-job.ts'

/** Many small jobs beside one big one that was queued before them, and the workers that then come. */
export interface ManyJobsOptions {
  /** For specs and input. */
  readonly dir: string
  /** Where the state lies, as `sluice` finds it in its environment. */
  readonly env: Readonly<Record<string, string>>
  readonly providerUrl: string
  readonly jobs: number
  readonly bigRows: number
  readonly workers: number
  /** Asks the store, beside everybody. */
  readonly query: <T>(sql: string) => Promise<readonly T[]>
  readonly log: (line: string) => void
  /** Called when all are queued, and no worker is there yet. */
  readonly onQueued?: () => Promise<unknown>
}

/** What became of them. Times count from when the first worker was started. */
export interface ManyJobsFigures {
  readonly submittedPerSecond: number
  readonly seconds: number
  /** Jobs that are not `completed`, as `job_…: state`. */
  readonly incomplete: readonly string[]
  readonly rows: number
  readonly rowsSucceeded: number
  /** Until a small job's first request. */
  readonly firstRequestMs: Percentiles
  /** Until a small job's end. */
  readonly endMs: Percentiles
  /** How many small jobs that were queued later had their first request before one that had to wait for it. */
  readonly overtakenBy: Percentiles
  /** Rows of the big job that ended in each tenth of the time in which small ones waited. */
  readonly bigRowsByTenth: readonly number[]
  readonly bigEndMs: number
  readonly workersFailed: readonly string[]
}

/** Rows of the small jobs, in turn. */
const SMALL_ROWS = [1, 2, 3] as const

/** How many jobs are submitted at a time. */
const AT_ONCE = 8

/** Submits the jobs, lets the workers work until nothing is left, and says how long who has waited. */
export async function runManyJobs(options: ManyJobsOptions): Promise<ManyJobsFigures> {
  const { dir, env, jobs, log } = options
  const began = performance.now()
  await writeSpecs(options)
  const engine = await openEngine(readConfig({}, env, dir), systemRuntime(), 'trial')
  try {
    await engine.submit({ specPath: join(dir, 'big.yaml') })
    await submitSmall(engine, options)
  } finally {
    await engine.close()
  }
  const submittedPerSecond = (jobs + 1) / ((performance.now() - began) / 1000)
  log(`queued ${jobs} small jobs behind a big one: ${submittedPerSecond.toFixed(0)} a second`)
  await options.onQueued?.()
  const startedMs = Date.now()
  const workersFailed = await work(options)
  const figures = await read(options, startedMs)
  return { ...figures, submittedPerSecond, workersFailed, seconds: (Date.now() - startedMs) / 1000 }
}

async function writeSpecs({ dir, providerUrl, bigRows }: ManyJobsOptions): Promise<void> {
  const execution = 'execution: { chunk_rows: 20, cache: off, concurrency: { max: 64 } }\n'
  const spec = (source: string) => ticketSpec(providerUrl, execution).replace('tickets.csv', source)
  for (const [name, rows] of [['big', bigRows], ...SMALL_ROWS.map((n) => [`small-${n}`, n] as const)] as const) {
    await writeFile(join(dir, `${name}.csv`), tickets(rows))
    await writeFile(join(dir, `${name}.yaml`), spec(`${name}.csv`))
  }
}

async function submitSmall(engine: Engine, { dir, jobs, log }: ManyJobsOptions): Promise<void> {
  let next = 0
  const submitter = async () => {
    while (next < jobs) {
      const n = next
      next += 1
      await engine.submit({ specPath: join(dir, `small-${SMALL_ROWS[n % SMALL_ROWS.length]}.yaml`) })
      if (next % 1_000 === 0) log(`queued ${next}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, submitter))
}

/** Resolves when all workers have left, with what those said that did not leave in order. */
async function work({ dir, env, workers, query, log }: ManyJobsOptions): Promise<readonly string[]> {
  const fleet = Array.from({ length: workers }, () => startSluice(['worker', '--until-idle'], { cwd: dir, env }))
  const ended = Promise.all(fleet.map((worker) => worker.ended))
  const watch = setInterval(() => {
    void query<{ n: number }>(`select count(*) as n from jobs where state = 'completed'`).then(
      ([row]) => log(`${row?.n ?? 0} jobs are completed`),
      (error: unknown) => log(String(error)),
    )
  }, 10_000)
  try {
    const codes = await ended
    return fleet.flatMap((worker, n) => (codes[n] === 0 ? [] : [`${codes[n]}: ${worker.stderr()}`]))
  } finally {
    clearInterval(watch)
  }
}

interface JobLine {
  readonly id: string
  readonly jobNo: number
  readonly state: string
  readonly rows: number
  readonly succeeded: number
  readonly firstMs: number | null
  readonly endedMs: number | null
}

const JOBS = `select id, j.job_no as "jobNo", state, rows_total as "rows", succeeded,
  (select min(started_at_ms) from attempts a where a.job_no = j.job_no) as "firstMs", ended_at_ms as "endedMs"
  from jobs j order by j.job_no`

async function read({ query }: ManyJobsOptions, startedMs: number) {
  const [big, ...small] = await query<JobLine>(JOBS)
  if (big === undefined) throw new Error('no job was submitted')
  const all = [big, ...small]
  const since = (ms: number | null) => (ms ?? Number.POSITIVE_INFINITY) - startedMs
  const lastFirstMs = Math.max(...small.map((job) => since(job.firstMs)))
  const ends = await query<{ ms: number }>(`select ended_at_ms as ms from rows where job_no = ${big.jobNo}`)
  const tenth = Math.min(lastFirstMs, since(big.endedMs)) / 10
  return {
    incomplete: all.filter(({ state }) => state !== 'completed').map(({ id, state }) => `${id}: ${state}`),
    rows: all.reduce((sum, job) => sum + job.rows, 0),
    rowsSucceeded: all.reduce((sum, job) => sum + job.succeeded, 0),
    firstRequestMs: percentiles(small.map((job) => since(job.firstMs))),
    endMs: percentiles(small.map((job) => since(job.endedMs))),
    overtakenBy: percentiles(overtaken(small.map((job) => since(job.firstMs)))),
    bigRowsByTenth: Array.from(
      { length: 10 },
      (_, n) => ends.filter(({ ms }) => since(ms) >= n * tenth && since(ms) < (n + 1) * tenth).length,
    ),
    bigEndMs: since(big.endedMs),
  }
}

/** For each, in the order of queueing, how many behind it came first. */
function overtaken(firstMs: readonly number[]): readonly number[] {
  return firstMs.map((mine, n) => firstMs.slice(n + 1).filter((other) => other < mine).length)
}
