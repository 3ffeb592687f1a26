import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchReport } from '../../src/simulator/batch/report.ts'
import type { BatchedRequest } from './batch-kill-ledgers.ts'
import { startSimulatedProvider } from './simulated-provider.ts'
import { openSlowGateway, type SlowGateway } from './slow-gateway.ts'
import { ticketSpec } from './ticket-job.ts'
import { seeded } from './two-ledgers.ts'

/** The simulated provider of a trial of batches, behind a gateway that holds creates up. Much of what may go wrong does. */
export interface BatchTrialProvider extends Pick<SlowGateway, 'url' | 'creates' | 'orphans'> {
  /** What it tells of its batches. */
  report(): Promise<BatchReport>
  /** The same when nothing is on its way to it, and no answer is being worked out. */
  lastReport(): Promise<BatchReport>
  /** Its log, of requests in batches. */
  batched(): readonly BatchedRequest[]
  stop(): Promise<void>
}

/** The times of a batcher that a trial can wait for; the order between them is that of the real ones. `lagMs` is the trial's own. */
const HASTY_TIMES = Object.freeze({
  turnMs: 200,
  look: { firstMs: 300, mostMs: 2_000 },
  lingerMs: 2_000,
  beginMs: 2_000,
  callMs: 5_000,
  bodyMs: 5_000,
  filesMs: 10_000,
  goneMs: 20_000,
  skewMs: 10_000,
})

const HASTY = new URL('./hasty-batches.main.ts', import.meta.url).href

/**
 * What every `sluice` of a trial finds in its environment. A create that is begun in time arrives at the provider no later than `lateMs` after that:
 * so long it is waited for there, beyond the time that a call may take.
 */
export function hastyEnv(lateMs: number): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${HASTY}`,
    HASTY_BATCHES: JSON.stringify({ ...HASTY_TIMES, lagMs: lateMs }),
    THE_KEY: 'good-key',
  }
}

const FAULTS = [
  ...['--batch-validating', '200ms', '--batch-running', '800ms', '--batch-running-p99', '2s'],
  ...['--batch-finalizing', '100ms', '--batch-create-lost', '10%', '--batch-create-cut', '10%'],
  ...['--batch-call-error', '4%', '--batch-row-error', '4%', '--batch-missing', '2%', '--batch-doubled', '2%'],
  ...['--batch-garbage', '2%', '--batch-shuffled'],
]

/** Starts it, with its log in `dir`. Creates are held up by as much as `heldMs`. */
export async function startBatchTrialProvider({
  dir,
  seed,
  heldMs,
}: {
  readonly dir: string
  readonly seed: number
  readonly heldMs: number
}): Promise<BatchTrialProvider> {
  const log = join(dir, 'requests.ndjson')
  const simulator = await startSimulatedProvider(['--seed', String(seed), ...FAULTS], log)
  const gateway = await openSlowGateway(simulator.url, heldMs, seeded(seed + 1))
  const ask = async (query: string) => {
    const reply = await fetch(`${simulator.url}/__simulator/batches${query}`)
    return (await reply.json()) as BatchReport
  }
  return Object.freeze({
    url: gateway.url,
    creates: gateway.creates,
    orphans: gateway.orphans,
    report: () => ask(''),
    async lastReport() {
      await gateway.settled()
      return ask('?settle=1')
    },
    batched() {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
      const parsed = lines
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as Partial<BatchedRequest>)
      return parsed.filter((line): line is BatchedRequest => typeof line.batch === 'string')
    },
    async stop() {
      await gateway.close()
      await simulator.stop()
    },
  })
}

const MODELS = {
  openai: (url: string) => ({ id: 'openai/gpt-5-mini', baseUrl: `${url}/v1` }),
  anthropic: (url: string) => ({ id: 'anthropic/claude-haiku-4-5', baseUrl: `${url}/v1` }),
  google: (url: string) => ({ id: 'google/gemini-2.5-flash', baseUrl: `${url}/v1beta` }),
  mistral: (url: string) => ({ id: 'openai-compatible/mistral-small', baseUrl: `${url}/mistral/v1` }),
} as const

/** Whose batches are made. */
export type BatchMaker = keyof typeof MODELS

/** All of them. */
export const BATCH_MAKERS = Object.keys(MODELS) as readonly BatchMaker[]

/** The spec of a job over `tickets.csv` that goes through the batches of one of them, at the provider's `url`. */
export function batchTrialSpec(maker: BatchMaker, url: string): string {
  const { id, baseUrl } = MODELS[maker](url)
  const execution = 'lane: batch, cache: off, chunk_rows: 10, chunk_attempts: 10, batch: { requests: 20, poll: 1s }'
  return ticketSpec(url, `execution: { ${execution} }\n`)
    .replace('id: openai-compatible/simulated', `id: ${id}\n  api_key_env: THE_KEY`)
    .replace(/base_url: .*/, `base_url: ${baseUrl}`)
}
