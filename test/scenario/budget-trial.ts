import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemRuntime } from '../../src/runtime.ts'
import { startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { sluice, startSluice, until } from './sluice-process.ts'
import { tickets } from './ticket-job.ts'
import { seeded } from './two-ledgers.ts'

/** What one trial is made of. */
export interface BudgetTrial {
  /** An empty folder. */
  readonly dir: string
  /** Where the state of its jobs lies. */
  readonly env: Readonly<Record<string, string>>
  readonly seed: number
  /** Times that the process is killed with SIGKILL and the job resumed. */
  readonly kills: number
  /** Rows in flight at the most, of each worker. */
  readonly concurrency: number
  /** How long an answer takes at the median. */
  readonly latencyMs?: number
  /** A fleet works on the job, of which the oldest is killed every so often and another started. */
  readonly fleet?: { readonly workers: number; readonly killEachMs: number }
}

/** What a trial found. */
export interface BudgetFigures {
  readonly seed: number
  /** What the simulator billed, in dollars, whoever heard the answers. */
  readonly bill: number
  /** What the job's ledger says: lost attempts stand there at their worst case. */
  readonly ledger: number
  readonly requests: number
  readonly kills: number
  readonly exit: number | string
  readonly reason: string | null
}

/** In dollars. */
export const TRIAL_BUDGET = 1

/** More rows than the budget pays for, by about a half. */
const ROWS = 1_200
const PRICE = { input: '1.00', output: '8.00' }
const MAX_OUTPUT = 2_000

/**
 * A job of more rows than its budget pays for, against a simulator whose bills have a heavy tail (median 100 tokens, one of a hundred above 2,000,
 * where `max_output_tokens` cuts them): run until the budget ends it, killed and resumed on the way.
 */
export async function runBudgetTrial(trial: BudgetTrial): Promise<BudgetFigures> {
  const { dir, seed, concurrency } = trial
  const runtime = systemRuntime()
  const simulator = createSimulator({
    nowMs: runtime.now,
    seed,
    latency: { medianMs: trial.latencyMs ?? 40, p99Ms: 8 * (trial.latencyMs ?? 40) },
    extraOutput: { median: 100, p99: 2_000 },
    prices: { '*': PRICE },
  })
  const server = await startSimulatorServer(simulator, { after: runtime.after, port: 0 })
  try {
    await writeFile(join(dir, 'tickets.csv'), tickets(ROWS))
    await writeFile(join(dir, 'spec.yaml'), specText(server.url, concurrency))
    const { kills, last } =
      trial.fleet === undefined ? await killOnTheWay(trial, simulator) : await workAsFleet(trial, trial.fleet)
    const summary = lastLine(last.stdout())
    const { cost_nano, requests } = simulator.stats()
    return {
      seed,
      bill: cost_nano / 1e9,
      ledger: summary.cost_usd,
      requests,
      kills,
      exit: await last.ended,
      reason: summary.reason,
    }
  } finally {
    await server.close()
  }
}

function specText(url: string, concurrency: number): string {
  return `version: 1
name: budget-trial
input: { source: tickets.csv, key: id }
model:
  id: openai-compatible/simulated
  base_url: ${url}/v1
  params: { max_output_tokens: ${MAX_OUTPUT} }
  price: { input: "${PRICE.input}", output: "${PRICE.output}" }
prompt: { user: "{{ text }}" }
execution: { concurrency: { max: ${concurrency} }, cache: off }
budget: { usd: ${TRIAL_BUDGET}, on_exceed: stop }
`
}

/**
 * Runs the job to its end, killed on the way at moments drawn from the seed, each time after it has sent some more. Returns how often it was still
 * there to be killed: what is in flight then is lost at its worst case, and may leave nothing of the budget.
 */
async function killOnTheWay({ dir, env, seed, kills }: BudgetTrial, simulator: Simulator) {
  const random = seeded(seed)
  for (let kill = 0; ; kill += 1) {
    const running = startSluice(kill === 0 ? ['run', 'spec.yaml'] : ['resume'], { cwd: dir, env })
    let over = false
    const ended = running.ended.then(() => {
      over = true
    })
    const enough = simulator.stats().requests + 10 + Math.floor(random() * 100)
    if (kill < kills) await until(() => over || simulator.stats().requests >= enough, 'it sends')
    else await ended
    if (over) return { kills: kill, last: running }
    running.child.kill('SIGKILL')
    await ended
  }
}

/** Lets a fleet work on the job until it ends. Returns how many workers were killed. */
async function workAsFleet({ dir, env }: BudgetTrial, { workers, killEachMs }: NonNullable<BudgetTrial['fleet']>) {
  const submitted = await sluice(['run', 'spec.yaml', '--detach'], { cwd: dir, env })
  if (submitted.code !== 0) throw new Error(submitted.stderr)
  const start = () => startSluice(['worker'], { cwd: dir, env })
  const fleet = Array.from({ length: workers }, start)
  let kills = 0
  const killing = setInterval(() => {
    fleet.shift()?.child.kill('SIGKILL')
    kills += 1
    fleet.push(start())
  }, killEachMs)
  const last = startSluice(['wait'], { cwd: dir, env })
  await last.ended
  clearInterval(killing)
  for (const { child, ended } of fleet) {
    child.kill('SIGKILL')
    await ended
  }
  return { kills, last }
}

function lastLine(stdout: string): { readonly cost_usd: number; readonly reason: string | null } {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}') as never
}
