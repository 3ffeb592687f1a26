import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ask, databaseOf } from '../test/postgres/ask.ts'
import { startCluster } from '../test/postgres/cluster.ts'
import type { BackEnd } from '../test/scenario/back-end.ts'
import { brokenBatchPromises } from '../test/scenario/batch-kill-ledgers.ts'
import { type BatchKillFigures, runBatchKillTrial } from '../test/scenario/batch-kill-trial.ts'
import { BATCH_MAKERS, type BatchMaker } from '../test/scenario/batch-trial-provider.ts'
import { openPostgresBackEnd } from '../test/scenario/postgres-back-end.ts'
import { queryDataDir } from '../test/scenario/query-data-dir.ts'

/**
 * `npm run trial:batch-kill -- [--store sqlite|postgres] [--kills 200] [--seed 1] [--provider openai|anthropic|google|mistral|all] [--rows 240] [--held 8] [--keep]`:
 * batch jobs, one after the other over the providers, each killed up to 12 times, in windows before, within and after create, poll, download and commit;
 * prints what the two ledgers say. Exit 1 where a promise was broken. `--held`: seconds that a create
 * may be on its way at the most (on PostgreSQL 12: longer than a dead worker is waited for). `--keep` leaves the files of a broken one.
 */
const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    provider: { type: 'string', default: 'all' },
    held: { type: 'string' },
    rows: { type: 'string', default: '240' },
    keep: { type: 'boolean', default: false },
  },
})
const KILLS_OF_A_JOB = 12
const heldMs = Number(values.held ?? (values.store === 'postgres' ? 12 : 8)) * 1_000

const makers = BATCH_MAKERS.filter((name) => values.provider === 'all' || values.provider === name)
if (makers.length === 0) throw new Error(`--provider: one of ${BATCH_MAKERS.join(', ')}, or all`)
if (!['sqlite', 'postgres'].includes(values.store)) throw new Error('--store: sqlite or postgres')
const cluster = values.store === 'postgres' ? await startCluster() : null
const sums: Record<string, Record<string, number>> = {}
let [killed, broken] = [0, 0]
try {
  for (let job = 0; killed < Number(values.kills) && broken <= 20; job += 1) await runJob(job)
} finally {
  await cluster?.remove()
}
console.log(JSON.stringify({ store: values.store, killed, ...sums }, null, 2))
console.error(broken === 0 ? 'every promise was kept' : `${broken} promises were broken`)
process.exitCode = broken === 0 ? 0 : 1

/** One job in a place of its own. */
async function runJob(job: number): Promise<void> {
  const maker = makers[job % makers.length] as BatchMaker
  const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-kill-'))
  const seed = Number(values.seed) * 1_000 + job
  const backEnd = await openBackEnd(dir, job)
  const trial = {
    ...{ dir, maker, seed, heldMs, env: backEnd.env, ask: backEnd.query, rows: Number(values.rows) },
    kills: Math.min(KILLS_OF_A_JOB, Number(values.kills) - killed),
    log: (line: string) => console.error(line),
  }
  const lines = await runBatchKillTrial(trial).then(
    (figures) => {
      console.error(JSON.stringify({ maker, seed, ...figures }))
      killed += addUp(maker, figures)
      return brokenBatchPromises(figures)
    },
    (error: unknown) => [String(error)],
  )
  await backEnd.close()
  for (const line of lines) console.error(`BROKEN (${maker}, seed ${seed}, ${dir}): ${line}`)
  broken += lines.length
  if (lines.length === 0 || !values.keep) await rm(dir, { recursive: true, force: true })
}

async function openBackEnd(dir: string, job: number): Promise<BackEnd> {
  if (cluster !== null) {
    await ask(cluster.url, `create database trial_${job}`)
    return openPostgresBackEnd(databaseOf(cluster.url, `trial_${job}`), dir)
  }
  const dataDir = join(dir, 'data')
  return {
    env: { SLUICE_DATA_DIR: dataDir },
    query: async <T>(sql: string) => queryDataDir<T>(dataDir, sql),
    close: async () => undefined,
  }
}

/** Adds a job's figures to those of its provider; returns how often it was killed. */
function addUp(maker: string, { kills, statuses, ...figures }: BatchKillFigures): number {
  sums[maker] ??= {}
  const of = sums[maker]
  const numbers = Object.entries(figures).concat(Object.entries(kills).map(([name, n]) => [`killed ${name}`, n]))
  for (const [name, n] of [...numbers, ['jobs', 1] as const]) of[name] = (of[name] ?? 0) + n
  return Object.values(kills).reduce((sum, n) => sum + n, 0)
}
