import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeTickets } from '../bench/bench-input.ts'
import { queryDataDir } from '../test/scenario/query-data-dir.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { startSluice } from '../test/scenario/sluice-process.ts'

/**
 * `npm run trial:batch -- [rows=1000000] [--requests 50000] [--seed 1] [--expired 5%] [--invalid 5%] [--deadline 20m] [--keep]`: one job by batch against the
 * simulator's server, where one row in a hundred fails, some batches expire, and others are refused as a whole; a batch holds what OpenAI takes, or
 * a fiftieth of the rows, so that there are some to go wrong. Prints what became of the rows and the batches, what it cost against the live price,
 * how long it took, by when everything was packed and all but a fiftieth booked, and the memory and the processor's time that sluice took. Exit 1
 * where a row did not succeed, the ledger is not the provider's bill, or not half the live price, where files of batches are left, or where no
 * batch expired, or none failed: then it proves less than it should, and wants another seed.
 *
 * With `--deadline` the job is one of `lane: auto`: a day of batches takes 24 minutes, one in thirty of them is later than the deadline, and two small
 * jobs go before, so that the account has a past. Then the deadline must be met, with batches called back, for 55 % of the live price at the most.
 */
const { values, positionals } = parseArgs({
  options: {
    requests: { type: 'string' },
    seed: { type: 'string', default: '1' },
    expired: { type: 'string', default: '5%' },
    invalid: { type: 'string', default: '5%' },
    deadline: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

/** What OpenAI takes in a batch. */
const MOST_REQUESTS = 50_000
/** The clock of batches: a day takes 24 seconds, the hour that a batch runs one. With a deadline it is the minutes of a day, and some batches take most of it. */
const CLOCK =
  values.deadline === undefined
    ? ['--batch-speed', '3600', '--batch-validating', '10m', '--batch-running', '1h', '--batch-running-p99', '3h']
    : ['--batch-speed', '60', '--batch-running', '1h', '--batch-running-p99', '50h', '--batch-cancelling', '5m']
const FAULTS = ['--batch-row-error', '1%', '--batch-expired', values.expired, '--batch-invalid', values.invalid]
/** Nano-dollars per token, of the price in the spec. */
const PRICE = { input: 250, output: 2_000 }

const rows = Number(positionals[0] ?? '1000000')
const requests = Number(values.requests ?? Math.min(MOST_REQUESTS, Math.ceil(rows / 50)))
const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-scale-'))
const dataDir = join(dir, 'data')
// A line for each of a million requests would be half a gigabyte that nobody reads: the sums tell all that is asked here.
const env = { SLUICE_DATA_DIR: dataDir, OPENAI_API_KEY: 'key' }
const port = values.deadline === undefined ? '0' : await makeAPast()
const provider = await startSimulatedProvider(['--port', port, '--seed', values.seed, ...CLOCK, ...FAULTS], '/dev/null')
try {
  await writeTickets(join(dir, 'tickets.csv'), rows)
  const spec = await writeSpec('scale.yaml', provider.url, requests)
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 100) / 10
  const running = startSluice(['run', spec], { cwd: dir, env })
  const usage = { peakMb: 0, cpuSeconds: 0 }
  const reached: Reached = { packedSeconds: null, bookedSeconds: null }
  const watching = setInterval(() => {
    const { requests: asked, closed, text } = progress()
    if (asked >= rows) reached.packedSeconds ??= seconds()
    if (closed >= rows * 0.98) reached.bookedSeconds ??= seconds()
    console.error(`${seconds()} s  ${usage.peakMb} MB  ${text}`)
  }, 5_000)
  const measuring = setInterval(() => {
    const { peakMb, cpuSeconds } = usageOf(running.child.pid)
    usage.peakMb = Math.max(usage.peakMb, peakMb)
    usage.cpuSeconds = Math.max(usage.cpuSeconds, cpuSeconds)
  }, 200)
  const code = await running.ended
  const took = seconds()
  clearInterval(watching)
  clearInterval(measuring)
  const came = await whatCameOfIt()
  const figures = { rows, requestsPerBatch: requests, exit: code, seconds: took, ...reached, ...usage, ...came }
  console.log(JSON.stringify(figures, null, 2))
  if (code !== 0) console.error(running.stderr().slice(-2_000))
  const isCheap =
    values.deadline === undefined ? came.ledgerNano * 2 === came.liveNano : came.ledgerNano <= came.liveNano * 0.55
  const isPaid = came.ledgerNano === came.billNano && isCheap
  const isInTime = values.deadline === undefined || (came.inTime === true && came.calledBack > 0)
  const isWhole = code === 0 && came.rowsEnded.succeeded === rows && came.filesLeft === 0
  if (!isInTime) console.error('the deadline was missed, or no batch was late: then try another --seed')
  // Before a deadline a batch that would expire is one that is late.
  const isHard = ((came.ends.expired ?? 0) > 0 || came.calledBack > 0) && (came.ends.failed ?? 0) > 0
  if (!isHard) console.error('no batch expired, or none failed: try another --seed')
  process.exitCode = isWhole && isPaid && isHard && isInTime ? 0 : 1
} finally {
  await provider.stop()
  if (values.keep) console.error(dir)
  else await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}

/** Two small jobs of the same spec and account: what live requests take, and that batches are back in seconds. Returns the port of its provider. */
async function makeAPast(): Promise<string> {
  const quick = await startSimulatedProvider(['--batch-running', '2s'], '/dev/null')
  await writeTickets(join(dir, 'tickets.csv'), 3_000)
  const spec = await writeSpec('past.yaml', quick.url, 200)
  for (const [lane, limit] of [
    ['live', '2000'],
    ['batch', '1000'],
  ] as const) {
    const code = await startSluice(['run', spec, '--lane', lane, '--limit', limit], { cwd: dir, env }).ended
    if (code !== 0) throw new Error(`the ${lane} job before it ended with ${code}`)
  }
  await quick.stop()
  return new URL(quick.url).port
}

async function writeSpec(name: string, url: string, most: number): Promise<string> {
  const path = join(dir, name)
  const lane = values.deadline === undefined ? 'lane: batch' : `lane: auto, deadline: ${values.deadline}`
  await writeFile(
    path,
    `version: 1
name: scale
input: { source: tickets.csv, key: ticket_id }
model:
  id: openai/gpt-4.1-mini
  base_url: ${url}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt:
  system: You label support tickets. Use only the allowed values.
  user: "{{ subject }}: {{ body }}"
output: { fields: { topic: "enum[billing, login, bug, refund, other]", urgent: boolean, confidence: number(0..1) } }
execution: { ${lane}, cache: off, batch: { requests: ${most}, poll: 5s, recall: 30s } }
`,
  )
  return path
}

/** Seconds after which something was seen to be so; it is looked at every five. */
interface Reached {
  packedSeconds: number | null
  bookedSeconds: number | null
}

/** Most memory that a process ever had in RAM, and its time on processors; 0 where it is gone. */
function usageOf(pid: number | undefined): { readonly peakMb: number; readonly cpuSeconds: number } {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    // After the name, which may hold anything: the 12th and 13th field are its own time and the kernel's for it, in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return {
      peakMb: Math.round(Number(peak?.[1] ?? 0) / 1024),
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    }
  } catch {
    return { peakMb: 0, cpuSeconds: 0 }
  }
}

function counts(sql: string): Record<string, number> {
  return Object.fromEntries(queryDataDir<{ name: string; n: number }>(dataDir, sql).map(({ name, n }) => [name, n]))
}

function progress() {
  const parts = counts('select state as name, sum(requests) as n from batch_parts group by state')
  const shards = counts('select state as name, count(*) as n from batch_shards group by state')
  const requests = Object.values(parts).reduce((sum, n) => sum + n, 0)
  const text = `requests ${JSON.stringify(parts)}  batches ${JSON.stringify(shards)}`
  return { requests, closed: parts.closed ?? 0, text }
}

/** What batches have written beside the store. */
async function countFiles(): Promise<number> {
  const files = await readdir(join(dataDir, 'blob'), { recursive: true })
  return files.filter((file) => /\.(?:requests|results)$/.test(file)).length
}

/** What the store, and the provider, say in the end. */
async function whatCameOfIt() {
  const OF_IT = 'where job_no = (select max(job_no) from jobs)'
  const rowsEnded = counts(`select state as name, count(*) as n from rows ${OF_IT} group by state`)
  const batches = counts('select state as name, count(*) as n from batch_shards group by state')
  const parts = counts(`select 'asked' as name, sum(requests) as n from batch_parts ${OF_IT}`)
  const [ledger] = queryDataDir<{ cost: number; input: number; output: number }>(
    dataDir,
    `select sum(cost_nano) as cost, sum(input_tokens) as input, sum(output_tokens) as output from attempts ${OF_IT}`,
  )
  const lanes = counts(`select lane as name, count(*) as n from rows ${OF_IT} group by lane`)
  const [job] = queryDataDir<{ route: string | null; endedMs: number }>(
    dataDir,
    `select route, ended_at_ms as endedMs from jobs ${OF_IT}`,
  )
  const called = counts("select 'shards' as name, count(*) as n from batch_shards where cancel_wanted_ms is not null")
  const bill = await billed()
  const ends: Record<string, number> = {}
  for (const { end } of bill.batches) ends[end] = (ends[end] ?? 0) + 1
  const liveNano = (ledger?.input ?? 0) * PRICE.input + (ledger?.output ?? 0) * PRICE.output
  return {
    rowsEnded,
    asked: parts.asked ?? 0,
    reAsked: (parts.asked ?? 0) - rows,
    batches,
    ends,
    filesLeft: await countFiles(),
    shareOfLive: liveNano === 0 ? null : (ledger?.cost ?? 0) / liveNano,
    lanes,
    calledBack: called.shards ?? 0,
    inTime: job?.route == null ? null : job.endedMs <= (JSON.parse(job.route).deadlineAtMs ?? 0),
    ledgerNano: ledger?.cost ?? 0,
    billNano: bill.costNano,
    liveNano,
  }
}

/** What became of the batches at the provider, and what it charges for them and for live requests together. */
async function billed() {
  const ask = async (path: string) => (await fetch(`${provider.url}/__simulator/${path}`)).json()
  // Only then is all that was worked on charged.
  const { batches } = (await ask('batches?settle=1')) as { batches: readonly { end: string }[] }
  const { cost_nano: costNano } = (await ask('stats')) as { cost_nano: number }
  return { batches, costNano }
}
