import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type JobFolder, jobFolder, summaryOf, tickets } from './job-folder.ts'
import { type SimulatedProvider, startSimulatedProvider } from './simulated-provider.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

/** A request of a batch in the simulator's log. */
interface BatchedRequest {
  readonly batch: string
  readonly custom_id: string
  readonly billed: boolean
  readonly cost_nano: number
}

interface Trial {
  readonly folder: JobFolder
  readonly simulated: SimulatedProvider
  /** What the provider has worked on in batches. */
  batched(): readonly BatchedRequest[]
  /** Writes `<lane>.yaml`, which asks by that lane. That all providers are asked alike is what test/conformance/lane.ts says. */
  spec(lane: 'live' | 'batch'): Promise<string>
}

async function trial(rows: number, ...flags: string[]): Promise<Trial> {
  const folder = await jobFolder({ THE_KEY: 'good-key' })
  const log = join(folder.dir, 'requests.ndjson')
  const simulated = await startSimulatedProvider(['--batch-running', '1s', ...flags], log)
  onTestFinished(() => simulated.stop())
  await folder.write('tickets.csv', tickets(rows))
  return {
    folder,
    simulated,
    batched: () => {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
      const parsed = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line))
      return parsed.filter((line) => typeof line.batch === 'string')
    },
    spec: (lane) =>
      folder.write(
        `${lane}.yaml`,
        `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model:
  id: openai/gpt-5-mini
  base_url: ${simulated.url}/v1
  api_key_env: THE_KEY
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { lane: ${lane}, cache: off, chunk_rows: 20, batch: { poll: 1s } }
`,
      ),
  }
}

const answersOf = (rows: readonly Record<string, unknown>[]) =>
  rows.map(({ id, topic, urgent, _status }) => ({ id, topic, urgent, _status }))

/** What the ledger says that was paid, and how many batches were ever known to be there. */
async function ledgerOf({ folder }: Trial) {
  const [sums] = await folder.query<{ n: number; cost: number }>(
    "select count(*) as n, sum(cost_nano) as cost from attempts where lane = 'batch'",
  )
  const [shards] = await folder.query<{ n: number }>(
    'select count(*) as n from batch_shards where batch_id is not null',
  )
  const open = await folder.query("select part_id from batch_parts where state <> 'closed'")
  return { attempts: Number(sums?.n), costNano: Number(sums?.cost), batches: Number(shards?.n), openParts: open.length }
}

/** No request was worked on that is not in the ledger, at its price; and no shard was sent twice. */
async function assertPaidOnce(of: Trial): Promise<void> {
  const billed = of.batched()
  const { costNano, batches, openParts } = await ledgerOf(of)
  expect(costNano).toBe(billed.reduce((sum, { billed: is, cost_nano }) => sum + (is ? cost_nano : 0), 0))
  expect(new Set(billed.map(({ batch }) => batch)).size).toBeLessThanOrEqual(batches)
  const asked = billed.map(({ custom_id }) => custom_id)
  expect(new Set(asked).size).toBe(asked.length)
  expect(openParts).toBe(0)
}

describe('a batch job', () => {
  // What providers say and how it is booked has nothing to do with the back end: once is enough.
  it('has the same outcomes as a live one, at half the cost', async () => {
    const of = await trial(60)
    const live = await of.folder.run('run', await of.spec('live'))
    expect(live.code, live.stderr).toBe(0)
    const liveRows = await of.folder.results()
    const batch = await of.folder.run('run', await of.spec('batch'))
    expect(batch.code, batch.stderr).toBe(0)
    const rows = await of.folder.results()
    expect(answersOf(rows)).toEqual(answersOf(liveRows))
    expect(new Set(rows.map((row) => row._lane))).toEqual(new Set(['batch']))
    const cost = (stdout: string) => Number(summaryOf(stdout).cost_usd)
    expect(cost(batch.stdout)).toBeCloseTo(cost(live.stdout) / 2, 6)
    expect(of.batched()).toHaveLength(60)
    await assertPaidOnce(of)
  })

  // On PostgreSQL batch-kill.test.ts and fleet-batches.test.ts kill.
  it('that is killed again and again goes on where it was, and pays once', async () => {
    const of = await trial(200, '--batch-running', '2s')
    const spec = await of.spec('batch')
    const running = of.folder.start('run', spec)
    await until(async () => (await of.folder.count('jobs')) > 0, 'the job is there')
    let process: SluiceProcess = running
    const [job] = await of.folder.query<{ id: string }>('select id from jobs')
    const moments = [
      async () => (await of.folder.count('batch_parts')) > 0,
      async () => (await of.folder.count("batch_shards where state = 'submitted'")) > 0,
      async () => (await of.folder.count("batch_shards where state in ('ended', 'collected')")) > 0,
      async () => (await of.folder.count('rows')) > 0,
    ]
    for (const moment of moments) {
      // Where the kill before cut off a create, the provider's list says only after minutes what came of it.
      await until(moment, 'the moment to kill it', 300_000)
      process.child.kill('SIGKILL')
      await process.ended
      process = of.folder.start('resume', String(job?.id))
    }
    expect(await process.ended, process.stderr()).toBe(0)
    const rows = await of.folder.results()
    expect(rows.map((row) => row._status)).toEqual(Array.from({ length: 200 }, () => 'ok'))
    await assertPaidOnce(of)
  }, 900_000)

  it('loses no row to lines that are missing, doubled, broken, and to requests that fail', async () => {
    const flags = ['--batch-missing', '4%', '--batch-doubled', '4%', '--batch-garbage', '4%', '--batch-row-error', '4%']
    const of = await trial(100, ...flags, '--batch-shuffled', '--batch-bad-gateway', '1')
    const run = await of.folder.run('run', await of.spec('batch'))
    expect(run.code, run.stderr).toBe(0)
    expect(summaryOf(run.stdout).rows).toMatchObject({ total: 100, succeeded: 100, failed: 0 })
  })

  it('is left by Ctrl-C with its batches out, and collected by `resume`', async () => {
    const of = await trial(40, '--batch-running', '6s')
    const running = of.folder.start('run', await of.spec('batch'))
    await until(async () => (await of.folder.count("batch_shards where state = 'submitted'")) > 0, 'it is submitted')
    running.child.kill('SIGINT')
    expect(await running.ended, running.stderr()).toBe(130)
    const status = await of.folder.run('status')
    expect(status.stdout).toContain('"batches":{"packed":0,"placed":40')
    const resumed = await of.folder.run('resume')
    expect(resumed.code, resumed.stderr).toBe(0)
    await assertPaidOnce(of)
  })

  it('that is cancelled keeps what was paid for, and cancels the rest', async () => {
    const of = await trial(100, '--batch-running', '60s', '--batch-cancelling', '1s')
    const running = of.folder.start('run', await of.spec('batch'))
    await until(async () => (await of.folder.count("batch_shards where state = 'submitted'")) > 0, 'it is submitted')
    expect((await of.folder.run('cancel')).code).toBe(0)
    expect(await running.ended, running.stderr()).toBe(1)
    const { rows, state } = summaryOf(running.stdout())
    expect(state).toBe('cancelled')
    expect(rows.succeeded + rows.cancelled).toBe(100)
    expect(rows.succeeded).toBe(of.batched().filter(({ billed }) => billed).length)
    await assertPaidOnce(of)
  })

  it('that is paused leaves its batches out; `resume` books what they brought', async () => {
    const of = await trial(60, '--batch-running', '6s')
    const running = of.folder.start('run', await of.spec('batch'))
    await until(async () => (await of.folder.count("batch_shards where state = 'submitted'")) > 0, 'it is submitted')
    expect((await of.folder.run('pause')).code).toBe(0)
    expect(await running.ended, running.stderr()).toBe(130)
    expect(summaryOf(running.stdout())).toMatchObject({ state: 'paused' })
    const resumed = await of.folder.run('resume')
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(summaryOf(resumed.stdout).rows).toMatchObject({ succeeded: 60 })
    await assertPaidOnce(of)
  })
})
