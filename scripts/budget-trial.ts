import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ask, databaseOf } from '../test/postgres/ask.ts'
import { startCluster } from '../test/postgres/cluster.ts'
import { type BudgetFigures, runBudgetTrial, TRIAL_BUDGET } from '../test/scenario/budget-trial.ts'

/**
 * `npm run trial:budget -- [seeds] [--from 1] [--kills 0] [--concurrency 256] [--latency 40]`: a budget of $1.00 under heavy-tailed outputs, once
 * for each seed; prints a line for each, and the sums. With `--workers 4 [--kill-each 20]` a fleet on a PostgreSQL of its own works on each, whose
 * oldest worker is killed every so many seconds. Exit 1 where the bill or the ledger passed the budget, or less than 97 % of it was used.
 */
const { values, positionals } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    kills: { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '256' },
    latency: { type: 'string', default: '40' },
    workers: { type: 'string', default: '0' },
    'kill-each': { type: 'string', default: '20' },
  },
  allowPositionals: true,
})

const LEAST_USED = 0.97

const seeds = Number(positionals[0] ?? '100')
const from = Number(values.from)
const workers = Number(values.workers)
const cluster = workers === 0 ? null : await startCluster()
const all: BudgetFigures[] = []
for (let seed = from; seed < from + seeds; seed += 1) {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-budget-'))
  try {
    const figures = await runBudgetTrial({
      dir,
      env: cluster === null ? { SLUICE_DATA_DIR: join(dir, 'data') } : await fleetEnv(cluster.url, dir, seed),
      seed,
      latencyMs: Number(values.latency),
      ...(cluster !== null && { fleet: { workers, killEachMs: Number(values['kill-each']) * 1000 } }),
      kills: Number(values.kills),
      concurrency: Number(values.concurrency),
    })
    all.push(figures)
    console.error(JSON.stringify(figures))
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 10 })
  }
}
await cluster?.remove()

const bounds = (of: (figures: BudgetFigures) => number) => {
  const sorted = all.map(of).sort((a, b) => a - b)
  return { least: sorted[0], median: sorted[Math.floor(sorted.length / 2)], most: sorted.at(-1) }
}
const over = all.filter(({ bill, ledger }) => bill > TRIAL_BUDGET || ledger > TRIAL_BUDGET)
const under = all.filter(({ ledger }) => ledger < LEAST_USED * TRIAL_BUDGET)
const odd = all.filter(({ exit, reason }) => exit !== 5 || reason !== 'budget')
const sums = { seeds: all.length, bill: bounds((one) => one.bill), ledger: bounds((one) => one.ledger) }
console.log(JSON.stringify({ ...sums, over: over.length, under: under.length, odd: odd.length }, null, 2))
process.exitCode = over.length + under.length + odd.length === 0 ? 0 : 1

async function fleetEnv(server: string, dir: string, seed: number): Promise<Record<string, string>> {
  const database = `budget_${seed}`
  await ask(server, `create database ${database}`)
  return {
    SLUICE_DATABASE_URL: databaseOf(server, database),
    SLUICE_BLOB_URL: pathToFileURL(join(dir, 'blob')).href,
  }
}
