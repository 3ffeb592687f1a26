import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ON_POSTGRES } from './back-end.ts'
import { type JobFolder, jobFolder, summaryOf, tickets } from './job-folder.ts'
import { startSimulatedProvider } from './simulated-provider.ts'

function specOf(url: string, execution: string): string {
  return `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model:
  id: openai/gpt-4.1-mini
  base_url: ${url}/v1
  api_key_env: THE_KEY
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { ${execution}, cache: off, chunk_rows: 20, batch: { poll: 1s, recall: 2s, requests: 40 } }
`
}

/** A provider whose batches come back after `running`. */
async function provider(folder: JobFolder, log: string, ...flags: string[]) {
  const simulated = await startSimulatedProvider(
    ['--latency', '20ms', '--batch-cancelling', '500ms', ...flags],
    join(folder.dir, log),
  )
  onTestFinished(() => simulated.stop())
  return simulated
}

// What the stores do for it is in their conformance suite: once is enough.
it.skipIf(ON_POSTGRES)('a job begins by batch, and what would be late goes live in time, paid once', async () => {
  const folder = await jobFolder({ THE_KEY: 'good-key' })
  await folder.write('tickets.csv', tickets(120))
  const quick = await provider(folder, 'quick.ndjson', '--batch-running', '500ms')
  const before = await folder.run('run', await folder.write('before.yaml', specOf(quick.url, 'lane: batch')))
  const asked = await folder.run('run', join(folder.dir, 'before.yaml'), '--lane', 'live', '--limit', '20')
  expect([before.code, asked.code]).toStrictEqual([0, 0])
  await quick.stop()
  // What live requests take is known, and the account's batches came back in a second so far; from now on they do not.
  const slow = await provider(folder, 'slow.ndjson', '--port', new URL(quick.url).port, '--batch-running', '5h')
  const ended = await folder.run('run', await folder.write('auto.yaml', specOf(slow.url, 'lane: auto, deadline: 30s')))
  expect(ended.code).toBe(0)
  expect(summaryOf(ended.stdout)).toMatchObject({ state: 'completed', rows: { succeeded: 120, failed: 0 } })
  const [job] = await folder.query<{ route: string }>('select route from jobs order by job_no desc limit 1')
  expect(JSON.parse(job?.route ?? '')).toMatchObject({ chosen: 'batch', way: 'live', changes: [{ to: 'live' }] })
  const paid = slow.requests().reduce((sum, { billed, cost_nano }) => sum + (billed ? cost_nano : 0), 0)
  const [ledger] = await folder.query<{ cost: number }>(
    'select sum(cost_nano) as cost from attempts where job_no = (select max(job_no) from jobs)',
  )
  expect(Number(ledger?.cost)).toBe(paid)
  expect(ended.stdout).toContain('"way":"live","chosen":"batch"')
})
