import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { ask, databaseOf } from '../test/postgres/ask.ts'
import { startCluster } from '../test/postgres/cluster.ts'
import { onlooker } from '../test/postgres/onlooker.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { type SluiceProcess, sluice, startSluice } from '../test/scenario/sluice-process.ts'
import { CASES, type TrialCase } from './limit-trial/cases.ts'
import { readLog } from './limit-trial/figures.ts'
import { startWell, untilAnswered, untilPaused } from './limit-trial/pausing.ts'
import { type Query, type Ran, type Told, tellDown, tellLimit, tellSaturated } from './limit-trial/tell.ts'
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
    const trial = CASES.find((one) => one.name === name)
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
  let provider = await startSimulatedProvider(trial.provider, log)
  const database = `trial_${trial.name.replaceAll('-', '_')}`
  await ask(cluster.url, `create database ${database}`)
  const url = databaseOf(cluster.url, database)
  const env = {
    SLUICE_DATABASE_URL: url,
    SLUICE_BLOB_URL: pathToFileURL(join(home, 'blob')).href,
    ANTHROPIC_API_KEY: 'test',
    GEMINI_API_KEY: 'test',
  }
  const client = new pg.Client(onlooker(url))
  const query: Query = async <T>(sql: string) => (await client.query(sql)).rows as readonly T[]
  const workers: SluiceProcess[] = []
  try {
    for (let job = 1; job <= trial.jobs; job += 1) {
      await writeJob(inSmallChunks(trial), { home, job, url: provider.url, seconds: warmS + measureS + 120 })
      const { code, stderr } = await sluice(['run', `job-${job}.yaml`, '--detach'], { cwd: home, env })
      if (code !== 0) throw new Error(stderr)
    }
    await client.connect()
    const start = () => workers.push(startSluice(['worker', '--chunks', '5'], { cwd: home, env }))
    for (let n = 0; n < Number(values.workers); n += 1) start()
    const firstMs = await firstRequest(log)
    if (trial.kind === 'down') {
      const paused = await killing(workers, start, untilPaused(query, firstMs))
      provider = await startWell(trial, provider, log)
      const { code, stderr } = await sluice(['resume', '--detach'], { cwd: home, env })
      if (code !== 0) throw new Error(stderr)
      const killed = paused.killed + (await killing(workers, start, untilAnswered(query))).killed
      return print(trial, await tellDown(paused.value, query), killed)
    }
    const seconds =
      trial.changed === undefined ? warmS + measureS : Math.max(warmS + measureS, trial.changed.afterS + 60)
    const { killed } = await killing(workers, start, sleep(Math.max(0, firstMs + seconds * 1000 - Date.now())))
    const ran: Ran = { log: readLog(log), firstMs, warmS, measureS, query }
    return print(trial, trial.kind === 'saturated' ? await tellSaturated(trial, ran) : tellLimit(trial, ran), killed)
  } finally {
    for (const { child, ended } of workers) {
      child.kill('SIGKILL')
      await ended
    }
    await client.end()
    await provider.stop()
  }
}

/** A chunk that many workers have died over is given up: each must be done with before they are. */
function inSmallChunks(trial: TrialCase): TrialCase {
  return { ...trial, spec: `chunk_rows: 20\n  ${trial.spec}` }
}

/** Kills the longest at work every so often, and starts another, until `done`. Returns how many. */
async function killing<T>(
  workers: SluiceProcess[],
  start: () => void,
  done: Promise<T>,
): Promise<{ readonly value: T; readonly killed: number }> {
  const eachMs = Number(values['kill-each']) * 1000
  let killed = 0
  const byItself = Promise.withResolvers<never>()
  const timer = setInterval(
    () => {
      const oldest = workers.shift()
      if (oldest?.child.exitCode !== null) return byItself.reject(new Error(`a worker ended: ${oldest?.stderr()}`))
      oldest.child.kill('SIGKILL')
      killed += 1
      start()
    },
    eachMs > 0 ? eachMs : 2 ** 30,
  )
  try {
    return { value: await Promise.race([done, byItself.promise]), killed }
  } finally {
    clearInterval(timer)
  }
}

async function firstRequest(log: string): Promise<number> {
  for (;;) {
    const [first] = readLog(log)
    if (first !== undefined) return first.time
    await sleep(100)
  }
}

function print({ name }: TrialCase, { line, kept }: Told, killed: number): boolean {
  console.log(`${name.padEnd(14)} ${line}; ${values.workers} workers, ${killed} killed`)
  return kept
}
