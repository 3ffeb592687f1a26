import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ask, databaseOf } from '../test/postgres/ask.ts'
import { startCluster } from '../test/postgres/cluster.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { type SluiceProcess, sluice, startSluice } from '../test/scenario/sluice-process.ts'
import { CASES, type TrialCase } from './limit-trial/cases.ts'
import { figuresOf, readLog, settledAfterS } from './limit-trial/figures.ts'
import { writeJob } from './limit-trial/write-job.ts'

/**
 * `npm run trial:fleet-limits -- [case…] [--workers 4] [--kill-each 20] [--warm 30] [--measure 300]`: the limit trial's cases, one after the other,
 * for a fleet on a PostgreSQL of its own whose workers share one key, while one of them is killed every so many seconds (0: none) and another
 * comes in its place. Prints a line per case from the simulator's own request log; exit 1 where one misses what must be seen to work.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: '4' },
    'kill-each': { type: 'string', default: '20' },
    warm: { type: 'string', default: '30' },
    measure: { type: 'string', default: '300' },
  },
})
const [warmS, measureS] = [Number(values.warm), Number(values.measure)]
const names = positionals.length === 0 ? ['rpm', 'tpm', 'both', 'halved'] : positionals

const dir = await mkdtemp(join(tmpdir(), 'sluice-fleet-limits-'))
const cluster = await startCluster()
try {
  let kept = true
  for (const name of names) {
    const trial = CASES.find((one) => one.name === name && one.kind === 'limit')
    if (trial === undefined) throw new Error(`no such case: ${name}`)
    kept = (await run(trial, join(dir, name))) && kept
  }
  process.exitCode = kept ? 0 : 1
} finally {
  await cluster.remove()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}

/** Runs one case, prints its line, and says whether it kept what it must. */
async function run(trial: TrialCase, home: string): Promise<boolean> {
  await mkdir(home, { recursive: true })
  const log = join(home, 'requests.ndjson')
  const provider = await startSimulatedProvider(trial.provider, log)
  const database = `trial_${trial.name.replaceAll('-', '_')}`
  await ask(cluster.url, `create database ${database}`)
  const env = {
    SLUICE_DATABASE_URL: databaseOf(cluster.url, database),
    SLUICE_BLOB_URL: pathToFileURL(join(home, 'blob')).href,
    ANTHROPIC_API_KEY: 'test',
    GEMINI_API_KEY: 'test',
  }
  const workers: SluiceProcess[] = []
  try {
    for (let job = 1; job <= trial.jobs; job += 1) {
      await writeJob(inSmallChunks(trial), { home, job, url: provider.url, seconds: warmS + measureS + 120 })
      const { code, stderr } = await sluice(['run', `job-${job}.yaml`, '--detach'], { cwd: home, env })
      if (code !== 0) throw new Error(stderr)
    }
    const start = () => workers.push(startSluice(['worker', '--chunks', '5'], { cwd: home, env }))
    for (let n = 0; n < Number(values.workers); n += 1) start()
    const firstMs = await firstRequest(log)
    const seconds =
      trial.changed === undefined ? warmS + measureS : Math.max(warmS + measureS, trial.changed.afterS + 60)
    const killed = await killUntil(firstMs + seconds * 1000, workers, start)
    return tell(trial, log, firstMs, killed)
  } finally {
    for (const { child, ended } of workers) {
      child.kill('SIGKILL')
      await ended
    }
    await provider.stop()
  }
}

/** A chunk that many workers have died over is given up: each must be done with before they are. */
function inSmallChunks(trial: TrialCase): TrialCase {
  return { ...trial, spec: `chunk_rows: 20\n  ${trial.spec}` }
}

/** Kills the longest at work every so often, and starts another. Returns how many. */
async function killUntil(endMs: number, workers: SluiceProcess[], start: () => void): Promise<number> {
  const eachMs = Number(values['kill-each']) * 1000
  let killed = 0
  while (eachMs > 0 && Date.now() + eachMs < endMs) {
    await sleep(eachMs)
    const oldest = workers.shift()
    if (oldest?.child.exitCode !== null) throw new Error(`a worker ended by itself: ${oldest?.stderr()}`)
    oldest.child.kill('SIGKILL')
    killed += 1
    start()
  }
  await sleep(Math.max(0, endMs - Date.now()))
  return killed
}

async function firstRequest(log: string): Promise<number> {
  for (;;) {
    const [first] = readLog(log)
    if (first !== undefined) return first.time
    await sleep(100)
  }
}

function tell(trial: TrialCase, log: string, firstMs: number, killed: number): boolean {
  const byTime = readLog(log).toSorted((a, b) => a.time - b.time)
  const changedMs = firstMs + (trial.changed?.afterS ?? 0) * 1000
  const began = trial.changed === undefined ? firstMs + warmS * 1000 : changedMs + 10_000
  const ended = trial.changed === undefined ? began + measureS * 1000 : Math.max(...byTime.map(({ time }) => time))
  const { requests, refused, refusedShare, limitShare, worst10s } = figuresOf(trial, byTime, began, ended)
  const settled = trial.changed === undefined ? null : settledAfterS(trial, byTime, changedMs)
  const extra = trial.changed === undefined ? '' : `, at the new limit after ${settled ?? '> 60'} s`
  const warm = byTime.filter(({ time, status }) => time < began && status === 429).length
  console.log(
    `${trial.name.padEnd(14)} ${percent(limitShare)} of the limit, worst 10 s ${percent(worst10s)}, 429s ${percent(refusedShare)} (${refused} of ${requests}; ${warm} before)${extra}; ${values.workers} workers, ${killed} killed`,
  )
  const kept = (limitShare ?? 0) >= (trial.changed === undefined ? 0.98 : 0.95) && refusedShare < 0.005
  return kept && (trial.changed === undefined || (settled ?? 99) <= 10)
}

function percent(share: number | null): string {
  return share === null ? 'none' : `${(share * 100).toFixed(2)} %`
}
