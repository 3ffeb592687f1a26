import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeTickets } from '../bench/bench-input.ts'
import { queryDataDir } from '../test/scenario/query-data-dir.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { startSluice } from '../test/scenario/sluice-process.ts'

/**
 * `npm run trial:batch -- [rows=1000000] [--requests 50000] [--seed 1] [--keep]`: one job by batch against the simulator's server, where one row in
 * a hundred fails, one batch in fifty expires, and two in fifty are refused as a whole; a batch holds what OpenAI takes, or a fiftieth of the rows,
 * so that there are some to go wrong. Prints what it cost against the live price, and the memory and the time it took. Exit 1 where a row did not
 * succeed, the ledger is not the provider's bill, or not half the live price.
 */
const { values, positionals } = parseArgs({
  options: {
    requests: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

/** What OpenAI takes in a batch. */
const MOST_REQUESTS = 50_000
/** The clock of batches: a day takes 24 seconds, the hour that a batch runs one. */
const CLOCK = [
  '--batch-speed',
  '3600',
  '--batch-validating',
  '10m',
  '--batch-running',
  '1h',
  '--batch-running-p99',
  '3h',
]
const FAULTS = ['--batch-row-error', '1%', '--batch-expired', '2%', '--batch-invalid', '4%']
/** Nano-dollars per token, of the price in the spec. */
const PRICE = { input: 250, output: 2_000 }

const rows = Number(positionals[0] ?? '1000000')
const requests = Number(values.requests ?? Math.min(MOST_REQUESTS, Math.ceil(rows / 50)))
const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-scale-'))
const dataDir = join(dir, 'data')
// A line for each of a million requests would be half a gigabyte that nobody reads: the sums tell all that is asked here.
const provider = await startSimulatedProvider(['--seed', values.seed, ...CLOCK, ...FAULTS], '/dev/null')
try {
  await writeTickets(join(dir, 'tickets.csv'), rows)
  const spec = await writeSpec()
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 100) / 10
  const running = startSluice(['run', spec], { cwd: dir, env: { SLUICE_DATA_DIR: dataDir, OPENAI_API_KEY: 'key' } })
  const watching = setInterval(
    () => console.error(`${seconds()} s  ${peakMb(running.child.pid)} MB  ${progress()}`),
    5_000,
  )
  let peak = 0
  const measuring = setInterval(() => {
    peak = Math.max(peak, peakMb(running.child.pid))
  }, 200)
  const code = await running.ended
  const took = seconds()
  clearInterval(watching)
  clearInterval(measuring)
  const figures = {
    rows,
    requestsPerBatch: requests,
    exit: code,
    seconds: took,
    peakMb: peak,
    ...(await whatCameOfIt()),
  }
  console.log(JSON.stringify(figures, null, 2))
  if (code !== 0) console.error(running.stderr().slice(-2_000))
  const isPaid = figures.ledgerNano === figures.billNano && figures.ledgerNano * 2 === figures.liveNano
  process.exitCode = code === 0 && isPaid && figures.rowsEnded.succeeded === rows ? 0 : 1
} finally {
  await provider.stop()
  if (values.keep) console.error(dir)
  else await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}

async function writeSpec(): Promise<string> {
  const path = join(dir, 'scale.yaml')
  await writeFile(
    path,
    `version: 1
name: scale
input: { source: tickets.csv, key: ticket_id }
model:
  id: openai/gpt-5-mini
  base_url: ${provider.url}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt:
  system: You label support tickets. Use only the allowed values.
  user: "{{ subject }}: {{ body }}"
output: { fields: { topic: "enum[billing, login, bug, refund, other]", urgent: boolean, confidence: number(0..1) } }
execution: { lane: batch, cache: off, batch: { requests: ${requests}, poll: 5s } }
`,
  )
  return path
}

/** Most memory that a process ever had in RAM, MB; 0 when it is gone. */
function peakMb(pid: number | undefined): number {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Math.round(Number(line?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}

function counts(sql: string): Record<string, number> {
  return Object.fromEntries(queryDataDir<{ name: string; n: number }>(dataDir, sql).map(({ name, n }) => [name, n]))
}

function progress(): string {
  const parts = counts('select state as name, sum(requests) as n from batch_parts group by state')
  const shards = counts('select state as name, count(*) as n from batch_shards group by state')
  return `requests ${JSON.stringify(parts)}  batches ${JSON.stringify(shards)}`
}

/** What the store, and the provider, say in the end. */
async function whatCameOfIt() {
  const rowsEnded = counts('select state as name, count(*) as n from rows group by state')
  const batches = counts('select state as name, count(*) as n from batch_shards group by state')
  const parts = counts("select 'asked' as name, sum(requests) as n from batch_parts")
  const [ledger] = queryDataDir<{ cost: number; input: number; output: number }>(
    dataDir,
    'select sum(cost_nano) as cost, sum(input_tokens) as input, sum(output_tokens) as output from attempts',
  )
  const answer = await fetch(`${provider.url}/__simulator/batches?settle=1`)
  const { batches: billed } = (await answer.json()) as { batches: readonly { cost_nano: number; end: string }[] }
  const ends: Record<string, number> = {}
  for (const { end } of billed) ends[end] = (ends[end] ?? 0) + 1
  const liveNano = (ledger?.input ?? 0) * PRICE.input + (ledger?.output ?? 0) * PRICE.output
  return {
    rowsEnded,
    asked: parts.asked ?? 0,
    reAsked: (parts.asked ?? 0) - rows,
    batches,
    ends,
    ledgerNano: ledger?.cost ?? 0,
    billNano: billed.reduce((sum, { cost_nano }) => sum + cost_nano, 0),
    liveNano,
  }
}
