import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

/** Failures in a row that it takes to know an outage from bad luck: the ones before it count. */
const TO_BE_SURE = 16

it('a provider that goes away and comes back: the job goes on by itself, no row fails, and the outage uses up nothing', async () => {
  const folder = await jobFolder()
  const rows = 600
  const first = await provider(folder, '--latency', '20ms')
  await folder.write('tickets.csv', tickets(rows))
  // With one repetition a row could not live through an outage that counts.
  await folder.write('spec.yaml', ticketSpec(first.url, 'execution: { retries: 1, concurrency: { max: 24 } }\n'))
  const running = folder.start('run', 'spec.yaml')
  await until(() => first.requests().length >= 120, 'the job runs')
  await first.stop()
  const excused = () => folder.count("attempts where cause = 'connection' and counts = 0")
  await until(async () => (await excused()) >= 5, 'the outage is noticed')
  const second = await provider(folder, '--latency', '20ms', '--port', new URL(first.url).port)
  expect(await running.ended, running.stderr()).toBe(0)
  expect(summaryOf(running.stdout())).toMatchObject({ state: 'completed', rows: { total: rows, succeeded: rows } })
  expect(second.requests().length).toBeGreaterThan(0)
  expect(await folder.count("attempts where cause = 'connection' and counts = 1")).toBeLessThan(TO_BE_SURE)
  // What was booked as an answer is what the two of them have billed, save for what was in flight when the first was killed.
  const billed = [...first.requests(), ...second.requests()].filter((request) => request.billed).length
  expect(await folder.count('attempts where cause is null')).toBe(rows)
  expect(billed).toBeGreaterThanOrEqual(rows)
})

it('an answer that does not come within `timeout.request` is a timeout, and is asked for again', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--slow', '20%', '--slow-for', '20s')
  await folder.write('tickets.csv', tickets(60))
  await folder.write(
    'spec.yaml',
    ticketSpec(simulated.url, 'execution: { timeout: { request: 1500ms }, retries: 8 }\n'),
  )
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  expect(summaryOf(run.stdout).rows).toMatchObject({ total: 60, succeeded: 60 })
  const timeouts = await folder.query<{ cause: string; n: number; counted: number }>(
    'select cause, count(*) as n, sum(counts) as counted from attempts where cause is not null group by cause',
  )
  expect(timeouts.map(({ cause }) => cause)).toEqual(['timeout'])
  expect(timeouts[0]?.n).toBeGreaterThan(3)
  expect(timeouts[0]?.counted).toBe(timeouts[0]?.n)
})
