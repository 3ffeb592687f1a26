import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BatchLedgers, compareBatchLedgers } from './batch-kill-ledgers.ts'
import { AIMS, type Aim, type Ask, marks, untilMoment } from './batch-kill-moments.ts'
import {
  type BatchMaker,
  type BatchTrialProvider,
  batchTrialSpec,
  hastyEnv,
  startBatchTrialProvider,
} from './batch-trial-provider.ts'
import { sluice, startSluice } from './sluice-process.ts'
import { tickets } from './ticket-job.ts'
import { parseResults, seeded } from './two-ledgers.ts'

/** What one trial is made of: one job against one simulated provider. */
export interface BatchKillTrial {
  /** An empty folder. */
  readonly dir: string
  /** Where the job's state lies. */
  readonly env: Readonly<Record<string, string>>
  readonly ask: Ask
  readonly maker: BatchMaker
  readonly rows: number
  /** At the most: a job that is over cannot be killed any more. */
  readonly kills: number
  /**
   * The longest that a create is on its way. Longer than it takes until somebody else looks for it, it shows whether he waits; all waits are longer by it.
   */
  readonly heldMs: number
  readonly seed: number
  readonly log?: (line: string) => void
}

/** What a trial found. */
export interface BatchKillFigures extends BatchLedgers {
  /** Kills of a running process, by the window that they were aimed at. */
  readonly kills: Readonly<Record<string, number>>
  /** Create calls that were sent, those of them that arrived after the death of their sender, and lists that were asked for to find out what became of one. */
  readonly creates: number
  readonly orphans: number
  readonly lists: number
}

/** A job that has not ended by itself so long after the last kill does not get on. */
const END_MS = 240_000

/** Runs a batch job, kills it with SIGKILL in window after window, resumes it to the end, and compares the two ledgers. */
export async function runBatchKillTrial(trial: BatchKillTrial): Promise<BatchKillFigures> {
  await mkdir(trial.dir, { recursive: true })
  const provider = await startBatchTrialProvider(trial)
  try {
    await writeFile(join(trial.dir, 'tickets.csv'), tickets(trial.rows))
    await writeFile(join(trial.dir, 'spec.yaml'), batchTrialSpec(trial.maker, provider.url))
    const kills = await killUntilOver(trial, provider)
    const { create, list } = await marks(trial.ask, provider)
    const path = join(trial.dir, 'results.jsonl')
    const [job] = await trial.ask<{ id: string }>('select id from jobs')
    const exported = await sluice(['results', job?.id ?? '', '-o', path], { cwd: trial.dir, env: trial.env })
    if (exported.code !== 0) throw new Error(exported.stderr)
    const results = parseResults(await readFile(path, 'utf8'))
    const found = await compareBatchLedgers(trial.ask, await provider.lastReport(), provider.batched(), results)
    return { ...found, kills, creates: create, orphans: provider.orphans(), lists: list }
  } finally {
    await provider.stop()
  }
}

/** Starts, kills, resumes … in windows drawn from the seed, until the job is over. */
async function killUntilOver(trial: BatchKillTrial, provider: BatchTrialProvider): Promise<Record<string, number>> {
  const random = seeded(trial.seed)
  const kills: Record<string, number> = {}
  const env = { ...trial.env, ...hastyEnv(trial.heldMs) }
  for (let left = trial.kills; ; left -= 1) {
    const [job] = await trial.ask<{ id: string }>('select id from jobs')
    const args = job === undefined ? ['run', 'spec.yaml'] : ['resume', job.id]
    const running = startSluice(args, { cwd: trial.dir, env })
    const tooLong = left > 0 ? null : setTimeout(() => running.child.kill('SIGKILL'), END_MS)
    const window = left > 0 ? await killOne(trial, provider, running, random) : null
    const code = await running.ended
    if (tooLong !== null) clearTimeout(tooLong)
    if (window === null) {
      if (code === 0) return kills
      throw new Error(`it ended with ${code}: ${running.stderr()}\n${await standing(trial.ask)}`)
    }
    kills[window] = (kills[window] ?? 0) + 1
    trial.log?.(`${trial.maker} killed ${window}: ${await standing(trial.ask)}`)
  }
}

/** Kills the process in a window of its own; returns which, or `null` where it had ended before. */
async function killOne(
  { ask }: BatchKillTrial,
  provider: BatchTrialProvider,
  running: ReturnType<typeof startSluice>,
  random: () => number,
): Promise<string | null> {
  let over = false
  void running.ended.then(() => {
    over = true
  })
  for (;;) {
    const aim = AIMS[Math.floor(random() * AIMS.length)] as Aim
    const came = await untilMoment(
      aim,
      random,
      () => marks(ask, provider),
      () => over,
    )
    // What a job does only once does not come again: then it is another window's turn.
    if (came === 'late') continue
    if (came === 'over' || !running.child.kill('SIGKILL')) return null
    return (await running.ended) === 'SIGKILL' ? aim.window : null
  }
}

/** How many shards, parts and chunks stand where. */
export async function standing(ask: Ask): Promise<string> {
  const lines = await ask<{ what: string; state: string; n: number }>(
    `select 'shards' as what, state, count(*) as n from batch_shards group by state
     union all select 'parts', state, count(*) from batch_parts group by state
     union all select 'chunks', state, count(*) from chunks group by state`,
  )
  return lines.map(({ what, state, n }) => `${n} ${what} ${state}`).join(', ')
}
