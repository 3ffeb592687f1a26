import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { type SluiceProcess, sluice, startSluice } from '../test/scenario/sluice-process.ts'
import { CASES, type TrialCase } from './limit-trial/cases.ts'
import { figuresOf, type Logged, readLog, settledAfterS, throughputShare } from './limit-trial/figures.ts'
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
  const provider = await startSimulatedProvider(trial.provider, log)
  const env = { SLUICE_DATA_DIR: join(home, 'data'), ANTHROPIC_API_KEY: 'test', GEMINI_API_KEY: 'test' }
  try {
    for (let job = 1; job <= trial.jobs; job += 1)
      await writeJob(trial, { home, job, url: provider.url, seconds: warmS + measureS + 120 })
    const worked = await startWork(trial, home, env)
    const first = await firstRequest(log, worked)
    if (trial.kind === 'down') return await tellDown(trial, worked, first, home, env)
    const seconds =
      trial.changed === undefined ? warmS + measureS : Math.max(warmS + measureS, trial.changed.afterS + 60)
    await sleep(first + seconds * 1000 - Date.now())
    worked.child.kill('SIGKILL')
    await worked.ended
    // What was on its way is written down when the simulator sees that nobody waits for it.
    await sleep(1_000)
    return tell(trial, readLog(log), first)
  } finally {
    await provider.stop()
  }
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

function tell(trial: TrialCase, log: readonly Logged[], firstMs: number): boolean {
  const fromMs = firstMs + warmS * 1000
  const byTime = log.toSorted((a, b) => a.time - b.time)
  if (trial.kind === 'saturated') return tellSaturated(trial, byTime, fromMs)
  const changedMs = firstMs + (trial.changed?.afterS ?? 0) * 1000
  const began = trial.changed === undefined ? fromMs : changedMs + 10_000
  const ended = trial.changed === undefined ? fromMs + measureS * 1000 : Math.max(...byTime.map(({ time }) => time))
  const { requests, refused, refusedShare, limitShare, worst10s } = figuresOf(trial, byTime, began, ended)
  const warm = byTime.filter(({ time, status }) => time < began && status === 429).length
  const settled = trial.changed === undefined ? null : settledAfterS(trial, byTime, changedMs)
  const extra = trial.changed === undefined ? '' : `, at the new limit after ${settled ?? '> 60'} s`
  print(
    trial,
    `${percent(limitShare)} of the limit, worst 10 s ${percent(worst10s)}, 429s ${percent(refusedShare)} (${refused} of ${requests}; ${warm} before)${extra}`,
  )
  const kept = (limitShare ?? 0) >= (trial.changed === undefined ? 0.98 : 0.95) && refusedShare < 0.005
  return kept && (trial.changed === undefined || (settled ?? 99) <= 10)
}

/** Little's law: what is in flight on average is the rate times the time; the log has arrivals, and the server's own rate is known. */
function tellSaturated(trial: TrialCase, log: readonly Logged[], fromMs: number): boolean {
  const figures = figuresOf(trial, log, fromMs, fromMs + measureS * 1000)
  const share = throughputShare(figures, measureS)
  print(trial, `${percent(share)} of the best throughput`)
  return share >= 0.95
}

async function tellDown(
  trial: TrialCase,
  worked: SluiceProcess,
  firstMs: number,
  home: string,
  env: Record<string, string>,
): Promise<boolean> {
  await worked.ended
  const seconds = (Date.now() - firstMs) / 1000
  const { stdout } = await sluice(['status', '--json'], { cwd: home, env })
  const why = /"detail":"([^"]+)"/.exec(stdout)?.[1] ?? stdout.slice(0, 500)
  print(trial, `paused after ${seconds.toFixed(1)} s: ${why}`)
  return seconds < 60 && /"reason":"provider_down"/.test(stdout)
}

function print({ name }: TrialCase, line: string): void {
  console.log(`${name.padEnd(14)} ${line}`)
}

function percent(share: number | null): string {
  return share === null ? 'none' : `${(share * 100).toFixed(2)} %`
}

function names(cases: readonly TrialCase[]): string {
  return cases.map(({ name }) => name).join(', ')
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
