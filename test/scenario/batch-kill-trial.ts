import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BatchedRequest, type BatchLedgers, compareBatchLedgers } from './batch-kill-ledgers.ts'
import { AIMS, type Aim, type Ask, batchReport, marks } from './batch-kill-moments.ts'
import { startSimulatedProvider } from './simulated-provider.ts'
import { sluice, startSluice } from './sluice-process.ts'
import { ticketSpec, tickets } from './ticket-job.ts'
import { parseResults, seeded } from './two-ledgers.ts'

/** Whose batches are made. */
export type BatchTrialProvider = keyof typeof MODELS

/** What one trial is made of: one job against one simulated provider. */
export interface BatchKillTrial {
  /** An empty folder. */
  readonly dir: string
  /** Where the job's state lies. */
  readonly env: Readonly<Record<string, string>>
  readonly ask: Ask
  /** Changes the store from beside, while nobody else has it. */
  readonly tell: (sql: string) => Promise<void>
  readonly provider: BatchTrialProvider
  readonly rows: number
  /** At the most: a job that is over cannot be killed any more. */
  readonly kills: number
  readonly seed: number
  readonly log?: (line: string) => void
}

/** What a trial found. */
export interface BatchKillFigures extends BatchLedgers {
  /** Kills of a running process, by the window that they were aimed at. */
  readonly kills: Readonly<Record<string, number>>
  /** Create calls that the simulator heard, and lists of batches that were asked for to find out what became of one. */
  readonly creates: number
  readonly lists: number
}

const MODELS = {
  openai: (url: string) => ({ id: 'openai/gpt-5-mini', baseUrl: `${url}/v1` }),
  anthropic: (url: string) => ({ id: 'anthropic/claude-haiku-4-5', baseUrl: `${url}/v1` }),
  google: (url: string) => ({ id: 'google/gemini-2.5-flash', baseUrl: `${url}/v1beta` }),
  mistral: (url: string) => ({ id: 'openai-compatible/mistral-small', baseUrl: `${url}/mistral/v1` }),
} as const

/** All of them. */
export const BATCH_TRIAL_PROVIDERS = Object.keys(MODELS) as readonly BatchTrialProvider[]

const FAULTS = (seed: number) => [
  ...['--seed', String(seed)],
  ...[
    '--batch-validating',
    '200ms',
    '--batch-running',
    '800ms',
    '--batch-running-p99',
    '2s',
    '--batch-finalizing',
    '100ms',
  ],
  ...['--batch-create-lost', '10%', '--batch-create-cut', '10%', '--batch-call-error', '4%'],
  ...['--batch-row-error', '4%', '--batch-missing', '2%', '--batch-doubled', '2%', '--batch-garbage', '2%'],
  '--batch-shuffled',
]

/** Longer than sluice waits until a create that nobody heard of can be taken for not made. */
const NIGHT_MS = 400_000
/** In which a process has begun with something, however busy the machine. */
const START_MS = 40_000
/** In which it gets where it is to be killed; if not, what it waits for may take a night. */
const PATIENCE_MS = 9_000
const MOST_NIGHTS = 60

/** Runs a batch job, kills it with SIGKILL in window after window, resumes it to the end, and compares the two ledgers. */
export async function runBatchKillTrial(trial: BatchKillTrial): Promise<BatchKillFigures> {
  await mkdir(trial.dir, { recursive: true })
  const log = join(trial.dir, 'requests.ndjson')
  const provider = await startSimulatedProvider(FAULTS(trial.seed), log)
  try {
    await writeFile(join(trial.dir, 'tickets.csv'), tickets(trial.rows))
    const spec = join(trial.dir, 'spec.yaml')
    await writeFile(spec, specText(trial, provider.url))
    const kills = await killUntilOver(trial, spec, provider.url)
    const results = join(trial.dir, 'results.jsonl')
    const [job] = await trial.ask<{ id: string }>('select id from jobs')
    const exported = await command(trial, 'results', job?.id ?? '', '-o', results)
    if (exported.code !== 0) throw new Error(exported.stderr)
    const report = await batchReport(provider.url, true)
    const { create, list } = await marks(trial.ask, provider.url)
    const found = await compareBatchLedgers(
      trial.ask,
      batched(log),
      report,
      parseResults(await readFile(results, 'utf8')),
    )
    return { ...found, kills, creates: create, lists: list }
  } finally {
    await provider.stop()
  }
}

function specText({ provider }: BatchKillTrial, url: string): string {
  const { id, baseUrl } = MODELS[provider](url)
  return ticketSpec(url, 'execution: { lane: batch, cache: off, chunk_rows: 10, batch: { requests: 20, poll: 1s } }\n')
    .replace('id: openai-compatible/simulated', `id: ${id}\n  api_key_env: THE_KEY`)
    .replace(/base_url: .*/, `base_url: ${baseUrl}`)
}

const command = ({ dir, env }: BatchKillTrial, ...args: string[]) =>
  sluice(args, { cwd: dir, env: { ...env, THE_KEY: 'good-key' } })

/** Starts, kills, resumes … in windows drawn from the seed, until the job is over. */
async function killUntilOver(trial: BatchKillTrial, spec: string, url: string): Promise<Record<string, number>> {
  const random = seeded(trial.seed)
  const kills: Record<string, number> = {}
  let [left, nights] = [trial.kills, 0]
  for (;;) {
    const [job] = await trial.ask<{ id: string }>('select id from jobs')
    const args = job === undefined ? ['run', spec] : ['resume', job.id]
    const running = startSluice(args, { cwd: trial.dir, env: { ...trial.env, THE_KEY: 'good-key' } })
    const window = await killOne(trial, url, running, left > 0 ? random : null)
    const code = await running.ended
    if (window === null) {
      if (code !== 0) throw new Error(`it ended with ${code}: ${running.stderr()}`)
      return kills
    }
    if (window !== 'waiting') left -= 1
    else nights += 1
    if (nights > MOST_NIGHTS) throw new Error(`it does not get on: ${await standing(trial)}`)
    kills[window] = (kills[window] ?? 0) + 1
    trial.log?.(`${trial.provider} killed ${window}: ${await standing(trial)}`)
    await passNight(trial, url)
  }
}

/** Kills the process in a window of its own; returns which, or `null` where it had ended before. Without `random` only when it does not get on. */
async function killOne(
  trial: BatchKillTrial,
  url: string,
  running: ReturnType<typeof startSluice>,
  random: (() => number) | null,
): Promise<string | null> {
  let over = false
  void running.ended.then(() => {
    over = true
  })
  const aim = random === null ? null : (AIMS[Math.floor(random() * AIMS.length)] ?? null)
  const late = await untilThere(trial, url, aim, () => over)
  const sinceMs = performance.now()
  const delayMs = late || aim === null || random === null ? 0 : random() * aim.withinMs
  while (!over && performance.now() - sinceMs < delayMs) await new Promise((resolve) => setTimeout(resolve, 1))
  if (over || !running.child.kill('SIGKILL')) return null
  const code = await running.ended
  if (code !== 'SIGKILL') return null
  return late || aim === null ? 'waiting' : aim.window
}

/** Waits for what is aimed at; resolves with `true` where it does not come. */
async function untilThere(
  trial: BatchKillTrial,
  url: string,
  aim: Aim | null,
  isOver: () => boolean,
): Promise<boolean> {
  const before = await marks(trial.ask, url)
  let dueMs = performance.now() + START_MS
  for (let moved = false; performance.now() < dueMs; ) {
    if (isOver() || aim?.mark === null) return false
    const now = await marks(trial.ask, url)
    if (aim !== null && now[aim.mark] > before[aim.mark]) return false
    if (!moved && JSON.stringify(now) !== JSON.stringify(before)) {
      moved = true
      dueMs = performance.now() + PATIENCE_MS
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return !isOver()
}

/** Lets the time pass that shows that a create has come to nothing, for those of the dead process; everything else is due. */
async function passNight({ ask, tell }: BatchKillTrial, url: string): Promise<void> {
  // Whatever the dead one has sent has arrived.
  await batchReport(url, true)
  if ((await ask('select shard_id from batch_shards limit 1')).length === 0) return
  await tell(
    `update batch_shards set intent_at_ms = intent_at_ms - ${NIGHT_MS} where state in ('submitting', 'unclear')`,
  )
  await tell('update batch_shards set next_look_ms = 0')
}

/** How many shards and parts stand where. */
async function standing({ ask }: BatchKillTrial): Promise<string> {
  const lines = await ask<{ what: string; state: string; n: number }>(
    `select 'shards' as what, state, count(*) as n from batch_shards group by state
     union all select 'parts', state, count(*) from batch_parts group by state
     union all select 'chunks', state, count(*) from chunks group by state`,
  )
  return lines.map(({ what, state, n }) => `${n} ${what} ${state}`).join(', ')
}

function batched(log: string): readonly BatchedRequest[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
  const parsed = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Partial<BatchedRequest>)
  return parsed.filter((line): line is BatchedRequest => typeof line.batch === 'string')
}
