import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ask, databaseOf } from '../test/postgres/ask.ts'
import { startCluster } from '../test/postgres/cluster.ts'
import { type BatchFleetFigures, brokenFleetPromises, runBatchFleetTrial } from '../test/scenario/batch-fleet-trial.ts'
import { BATCH_MAKERS, type BatchMaker } from '../test/scenario/batch-trial-provider.ts'
import { openPostgresBackEnd } from '../test/scenario/postgres-back-end.ts'

/**
 * `npm run trial:batch-fleet -- [--kills 60] [--freezes 0] [--seed 1] [--workers 4] [--jobs openai,openai,anthropic,anthropic] [--rows 120] [--held 12] [--keep]`:
 * batch jobs on a fleet of workers over a PostgreSQL of its own, set after set, while one of them, mostly the batcher, is killed and replaced again and
 * again; prints what all records say. `--freezes 0.3`: so many are not killed but stopped for a while instead. `--held`: seconds that a
 * create may be on its way at the most. Exit 1 where a promise was broken.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '60' },
    freezes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '4' },
    jobs: { type: 'string', default: 'openai,openai,anthropic,anthropic' },
    held: { type: 'string', default: '12' },
    rows: { type: 'string', default: '120' },
    keep: { type: 'boolean', default: false },
  },
})
const KILLS_OF_A_SET = 15

const jobs = values.jobs.split(',') as readonly BatchMaker[]
for (const job of jobs) if (!BATCH_MAKERS.includes(job)) throw new Error(`--jobs: of ${BATCH_MAKERS.join(', ')}`)
const sums: Record<string, number> = {}
let [struck, broken] = [0, 0]
const cluster = await startCluster()
try {
  for (let set = 0; struck < Number(values.kills) && broken <= 20; set += 1) await runSet(set)
} finally {
  await cluster.remove()
}
console.log(JSON.stringify(sums, null, 2))
console.error(broken === 0 ? 'every promise was kept' : `${broken} promises were broken`)
process.exitCode = broken === 0 ? 0 : 1

/** One set of jobs on a database of its own. */
async function runSet(set: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-fleet-'))
  const seed = Number(values.seed) * 1_000 + set
  const database = `trial_${set}`
  await ask(cluster.url, `create database ${database}`)
  const backEnd = openPostgresBackEnd(databaseOf(cluster.url, database), dir)
  const began = performance.now()
  const trial = {
    ...{ dir, jobs, seed, env: backEnd.env, ask: backEnd.query },
    ...{ rows: Number(values.rows), workers: Number(values.workers), freezes: Number(values.freezes) },
    heldMs: Number(values.held) * 1_000,
    kills: Math.min(KILLS_OF_A_SET, Number(values.kills) - struck),
    log: (line: string) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  }
  const lines = await runBatchFleetTrial(trial).then(
    (figures) => {
      console.error(JSON.stringify({ seed, ...figures }))
      struck += addUp(figures)
      return brokenFleetPromises(figures)
    },
    (error: unknown) => [String(error)],
  )
  await backEnd.close()
  for (const line of lines) console.error(`BROKEN (seed ${seed}, ${dir}): ${line}`)
  broken += lines.length
  if (lines.length === 0 || !values.keep) await rm(dir, { recursive: true, force: true })
}

/** Adds the figures of a set; returns how often a worker was struck. */
function addUp({ kills, statuses, deaths, ...figures }: BatchFleetFigures): number {
  const killed = Object.values(kills).reduce((sum, n) => sum + n, 0)
  const numbers = { sets: 1, killed, ...figures, deaths: deaths.length }
  const windows = Object.entries(kills).map(([name, n]) => [`killed ${name}`, n] as const)
  for (const [name, n] of [...Object.entries(numbers), ...windows]) sums[name] = (sums[name] ?? 0) + n
  return killed + figures.frozen
}
