import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { queryDataDir } from '../test/scenario/query-data-dir.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { type SluiceProcess, sluice, startSluice } from '../test/scenario/sluice-process.ts'
import { CASES, type TrialCase } from './limit-trial/cases.ts'
import { readLog } from './limit-trial/figures.ts'
import { startWell, untilAnswered, untilPaused } from './limit-trial/pausing.ts'
import { type Query, type Ran, type Told, tellDown, tellLimit, tellSaturated } from './limit-trial/tell.ts'
import { writeJob } from './limit-trial/write-job.ts'

/**
 * `npm run trial:limits -- [case…] [--warm 30] [--measure 300]`: real jobs against `sluice simulate` with limits, all cases side by side, each with a
 * data directory of its own. Prints a line per case from the simulator's own request log; exit 1 where one misses what must be seen to work.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { warm: { type: 'string', default: '30' }, measure: { type: 'string', default: '300' } },
})
const warmS = Number(values.warm)
const measureS = Number(values.measure)

const unknown = positionals.filter((name) => !CASES.some((trial) => trial.name === name))
if (unknown.length > 0) throw new Error(`no such case: ${unknown.join(', ')}; there are ${names(CASES)}`)
const chosen = CASES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

const dir = await mkdtemp(join(tmpdir(), 'sluice-limits-'))
try {
  const told = await Promise.all(chosen.map((trial) => run(trial, join(dir, trial.name))))
  process.exitCode = told.every((kept) => kept) ? 0 : 1
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}

/** Runs one case, prints its line, and says whether it kept what it must. */
async function run(trial: TrialCase, home: string): Promise<boolean> {
  await mkdir(home, { recursive: true })
  const log = join(home, 'requests.ndjson')
  let provider = await startSimulatedProvider(trial.provider, log)
  const dataDir = join(home, 'data')
  const env = { SLUICE_DATA_DIR: dataDir, ANTHROPIC_API_KEY: 'test', GEMINI_API_KEY: 'test' }
  const query: Query = async (sql) => queryDataDir(dataDir, sql)
  try {
    for (let job = 1; job <= trial.jobs; job += 1)
      await writeJob(trial, { home, job, url: provider.url, seconds: warmS + measureS + 120 })
    const worked = await startWork(trial, home, env)
    const firstMs = await firstRequest(log, worked)
    if (trial.kind === 'down') {
      const paused = await untilPaused(query, firstMs)
      await worked.ended
      provider = await startWell(trial, provider, log)
      const resumed = startSluice(['resume'], { cwd: home, env })
      await untilAnswered(query)
      await kill(resumed)
      return print(trial, await tellDown(paused, query))
    }
    const seconds =
      trial.changed === undefined ? warmS + measureS : Math.max(warmS + measureS, trial.changed.afterS + 60)
    await sleep(firstMs + seconds * 1000 - Date.now())
    await kill(worked)
    // What was on its way is written down when the simulator sees that nobody waits for it.
    await sleep(1_000)
    const ran: Ran = { log: readLog(log), firstMs, warmS, measureS, query }
    return print(trial, trial.kind === 'saturated' ? await tellSaturated(trial, ran) : tellLimit(trial, ran))
  } finally {
    await provider.stop()
  }
}

async function kill({ child, ended }: SluiceProcess): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

async function startWork(trial: TrialCase, home: string, env: Record<string, string>): Promise<SluiceProcess> {
  if (trial.jobs === 1) return startSluice(['run', 'job-1.yaml'], { cwd: home, env })
  for (let job = 1; job <= trial.jobs; job += 1) {
    const { code, stderr } = await sluice(['run', `job-${job}.yaml`, '--detach'], { cwd: home, env })
    if (code !== 0) throw new Error(stderr)
  }
  return startSluice(['worker', '--chunks', '20'], { cwd: home, env })
}

async function firstRequest(log: string, worked: SluiceProcess): Promise<number> {
  for (;;) {
    const [first] = readLog(log)
    if (first !== undefined) return first.time
    if (worked.child.exitCode !== null) throw new Error(worked.stderr())
    await sleep(100)
  }
}

function print({ name }: TrialCase, { line, kept }: Told): boolean {
  console.log(`${name.padEnd(14)} ${line}`)
  return kept
}

function names(cases: readonly TrialCase[]): string {
  return cases.map(({ name }) => name).join(', ')
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
