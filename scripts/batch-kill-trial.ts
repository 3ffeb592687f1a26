import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokenBatchPromises } from '../test/scenario/batch-kill-ledgers.ts'
import {
  BATCH_TRIAL_PROVIDERS,
  type BatchKillFigures,
  type BatchTrialProvider,
  runBatchKillTrial,
} from '../test/scenario/batch-kill-trial.ts'
import { queryDataDir, tellDataDir } from '../test/scenario/query-data-dir.ts'

/**
 * `npm run trial:batch-kill -- [--kills 200] [--seed 1] [--provider openai|anthropic|google|mistral|all] [--rows 240] [--keep]`: batch jobs, one
 * after the other over the providers, each killed up to 12 times, in windows before, within and after create, poll, download and commit; prints what
 * the two ledgers say. Exit 1 where a promise was broken. `--keep` leaves what a broken one has left behind.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    provider: { type: 'string', default: 'all' },
    rows: { type: 'string', default: '240' },
    keep: { type: 'boolean', default: false },
  },
})
const KILLS_OF_A_JOB = 12

const providers = BATCH_TRIAL_PROVIDERS.filter((name) => values.provider === 'all' || values.provider === name)
if (providers.length === 0) throw new Error(`--provider: one of ${BATCH_TRIAL_PROVIDERS.join(', ')}, or all`)
const sums: Record<string, Record<string, number>> = {}
let [killed, broken] = [0, 0]
for (let job = 0; killed < Number(values.kills); job += 1) {
  const provider = providers[job % providers.length] as BatchTrialProvider
  const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-kill-'))
  const dataDir = join(dir, 'data')
  const kills = Math.min(KILLS_OF_A_JOB, Number(values.kills) - killed)
  const seed = Number(values.seed) * 1_000 + job
  const log = (line: string) => console.error(line)
  const lines = await runBatchKillTrial({
    dir,
    env: { SLUICE_DATA_DIR: dataDir },
    ask: async <T>(sql: string) => queryDataDir<T>(dataDir, sql),
    tell: async (sql) => tellDataDir(dataDir, sql),
    provider,
    rows: Number(values.rows),
    kills,
    seed,
    log,
  }).then(
    (figures) => {
      console.error(JSON.stringify({ provider, seed, ...figures }))
      killed += addUp(provider, figures)
      return brokenBatchPromises(figures)
    },
    (error: unknown) => [String(error)],
  )
  for (const line of lines) console.error(`BROKEN (${provider}, seed ${seed}, ${dir}): ${line}`)
  broken += lines.length
  if (lines.length === 0 || !values.keep) await rm(dir, { recursive: true, force: true })
  if (broken > 20) break
}
console.log(JSON.stringify({ killed, ...sums }, null, 2))
console.error(broken === 0 ? 'every promise was kept' : `${broken} promises were broken`)
process.exitCode = broken === 0 ? 0 : 1

/** Adds a job's figures to those of its provider; returns how often it was killed in a window. */
function addUp(provider: string, { kills, statuses, ...figures }: BatchKillFigures): number {
  sums[provider] ??= {}
  const of = sums[provider]
  const numbers = Object.entries(figures).concat(Object.entries(kills).map(([name, n]) => [`killed ${name}`, n]))
  for (const [name, n] of [...numbers, ['jobs', 1] as const]) of[name] = (of[name] ?? 0) + n
  return Object.entries(kills).reduce((sum, [window, n]) => (window === 'waiting' ? sum : sum + n), 0)
}
