import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BatchFleet, startBatchFleet } from './batch-fleet.ts'
import { NOTE_CHANGES, type ShardChanges, shardChanges } from './batch-fleet-changes.ts'
import { type BatchLedgers, brokenBatchPromises, compareBatchLedgers } from './batch-kill-ledgers.ts'
import { AIMS, type Aim, type Ask, marks, untilMoment } from './batch-kill-moments.ts'
import { standing } from './batch-kill-trial.ts'
import {
  type BatchMaker,
  type BatchTrialProvider,
  batchTrialSpec,
  hastyEnv,
  startBatchTrialProvider,
} from './batch-trial-provider.ts'
import { sluice, until } from './sluice-process.ts'
import { tickets } from './ticket-job.ts'
import { parseResults, type ResultRow, seeded } from './two-ledgers.ts'

/** What one trial is made of: jobs, a fleet, and an empty database. */
export interface BatchFleetTrial {
  /** An empty folder. */
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly ask: Ask
  /** A job for each; those of one maker share their batches. */
  readonly jobs: readonly BatchMaker[]
  readonly rows: number
  readonly workers: number
  /** At the most: what is over cannot be killed any more. */
  readonly kills: number
  /** Share of the workers that are aimed at which are not killed, but stopped for longer than the others wait for them. */
  readonly freezes: number
  /** The longest that a create is on its way: see `BatchKillTrial`. */
  readonly heldMs: number
  readonly seed: number
  readonly log?: (line: string) => void
}

/** What a trial found. */
export interface BatchFleetFigures extends BatchLedgers, ShardChanges {
  /** By the window that they were aimed at. */
  readonly kills: Readonly<Record<string, number>>
  /** Of these, those of the worker that was the batcher then. */
  readonly batchersKilled: number
  readonly frozen: number
  /** Create calls that were sent, and those of them that arrived after the death of their sender. */
  readonly creates: number
  readonly orphans: number
  readonly deaths: readonly string[]
}

/** Longer than the others wait for it. In the middle of a create it goes on that much later. */
const FROZEN = { leastMs: 11_000, mostMs: 13_500 } as const
/** Jobs that have not ended so long after the last kill do not get on. */
const END_MS = 240_000
/** Share of the kills that fall on another worker than the one that the window is about. */
const ASTRAY = 0.15

/** Windows in which a worker holds chunks; in the others it is the batcher that works. */
const AT_CHUNKS: ReadonlySet<string> = new Set(['packing', 'committing', 'settled'])

/** Lets a fleet work on batch jobs while its workers are killed, mostly the batcher, waits for the end, and compares all records. */
export async function runBatchFleetTrial(given: BatchFleetTrial): Promise<BatchFleetFigures> {
  const env = { ...given.env, ...hastyEnv(given.heldMs + (given.freezes > 0 ? FROZEN.mostMs : 0)) }
  const trial = { ...given, env }
  const { dir, ask } = trial
  await mkdir(dir, { recursive: true })
  const provider = await startBatchTrialProvider(trial)
  let fleet: BatchFleet | null = null
  try {
    await submitJobs(trial, provider.url)
    fleet = startBatchFleet(trial.workers, { dir, env })
    const struck = await strikeUntilOver(trial, provider, fleet)
    await until(async () => (await underWay(ask)) === 0, 'every job ends', END_MS).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await standing(ask)}`)
    })
    await fleet.leave()
    const { create } = await marks(ask, provider)
    const results = await allResults(trial)
    return {
      ...(await compareBatchLedgers(ask, await provider.lastReport(), provider.batched(), results)),
      ...(await shardChanges(ask, fleet.pidOf)),
      ...struck,
      creates: create,
      orphans: provider.orphans(),
      deaths: fleet.deaths,
    }
  } finally {
    await fleet?.end()
    await provider.stop()
  }
}

/** What a fleet promises, whichever of its workers die: a line for each promise that was broken. */
export function brokenFleetPromises(figures: BatchFleetFigures): readonly string[] {
  const { deaths, outOfTurn, frozen } = figures
  const broken = [...brokenBatchPromises(figures)]
  for (const death of deaths) broken.push(`a worker ended by itself: ${death}`)
  // One that was stopped does what it was about to do when it wakes; a shard that somebody else has changed meanwhile it leaves alone.
  if (outOfTurn > 0 && frozen === 0) broken.push(`${outOfTurn} steps were taken by workers that were not the batcher`)
  return broken
}

async function submitJobs({ dir, env, ask, jobs, rows }: BatchFleetTrial, url: string): Promise<void> {
  const run = async (...args: string[]) => {
    const { code, stderr } = await sluice(args, { cwd: dir, env })
    if (code !== 0) throw new Error(stderr)
  }
  await run('migrate')
  await ask(NOTE_CHANGES)
  await writeFile(join(dir, 'tickets.csv'), tickets(rows))
  for (const maker of jobs) {
    await writeFile(join(dir, 'spec.yaml'), batchTrialSpec(maker, url))
    await run('run', 'spec.yaml', '--detach')
  }
}

async function underWay(ask: Ask): Promise<number> {
  const [open] = await ask<{ n: number }>(
    `select count(*) as n from jobs where state not in ('completed', 'failed', 'cancelled')`,
  )
  return open?.n ?? 0
}

/** Strikes in windows drawn from the seed, until enough were, or every job is over. */
async function strikeUntilOver(trial: BatchFleetTrial, provider: BatchTrialProvider, fleet: BatchFleet) {
  const { ask, log } = trial
  const random = seeded(trial.seed)
  const kills: Record<string, number> = {}
  let [batchersKilled, frozen, left, over] = [0, 0, trial.kills, false]
  let duty: Duty = { batcher: null, atChunks: [] }
  const look = async () => {
    const [seen, open, now] = await Promise.all([marks(ask, provider), underWay(ask), onDuty(ask)])
    over = open === 0
    duty = now
    return seen
  }
  while (left > 0 && !over) {
    const aim = AIMS[Math.floor(random() * AIMS.length)] as Aim
    const came = await untilMoment(aim, random, look, () => over)
    const pid = came === 'there' ? victim(aim, fleet.pids(), duty, random) : null
    if (pid === null) continue
    const what = `${pid === duty.batcher ? 'the batcher' : 'a worker'} ${aim.window}`
    left -= 1
    if (random() < trial.freezes) {
      fleet.freeze(pid, FROZEN.leastMs + random() * (FROZEN.mostMs - FROZEN.leastMs))
      frozen += 1
      log?.(`stopped ${what}: ${await standing(ask)}`)
      continue
    }
    await fleet.kill(pid)
    kills[aim.window] = (kills[aim.window] ?? 0) + 1
    if (pid === duty.batcher) batchersKilled += 1
    log?.(`killed ${what}: ${await standing(ask)}`)
  }
  return { kills, batchersKilled, frozen }
}

/** Who does what, by pid. */
interface Duty {
  readonly batcher: number | null
  readonly atChunks: readonly number[]
}

async function onDuty(ask: Ask): Promise<Duty> {
  const found = await ask<{ pid: number; role: string }>(
    `select w.pid, r.role from roles r join workers w on w.worker_id = r.worker_id where r.role = 'batcher'
     union all select distinct w.pid, 'chunks' from chunks c join workers w on w.worker_id = c.owner where c.state = 'leased'`,
  )
  return {
    batcher: found.find(({ role }) => role === 'batcher')?.pid ?? null,
    atChunks: found.filter(({ role }) => role === 'chunks').map(({ pid }) => pid),
  }
}

/** Whom the window is about, mostly; else anybody. */
function victim({ window }: Aim, living: readonly number[], duty: Duty, random: () => number): number | null {
  const about = window === 'start' ? living.slice(-1) : AT_CHUNKS.has(window) ? duty.atChunks : [duty.batcher]
  const meant = random() < ASTRAY ? [] : living.filter((pid) => about.includes(pid))
  const choice = meant.length > 0 ? meant : living
  return choice[Math.floor(random() * choice.length)] ?? null
}

async function allResults({ dir, env, ask }: BatchFleetTrial): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = []
  for (const { id } of await ask<{ id: string }>('select id from jobs')) {
    const path = join(dir, `${id}.jsonl`)
    const { code, stderr } = await sluice(['results', id, '-o', path], { cwd: dir, env })
    if (code !== 0) throw new Error(stderr)
    for (const { row, status } of parseResults(await readFile(path, 'utf8'))) rows.push({ row: `${id}/${row}`, status })
  }
  return rows
}
