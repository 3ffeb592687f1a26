import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

it('a wrong key pauses the job at once, with exit 4 and nothing burnt; the right one goes on', async () => {
  const folder = await jobFolder({ THE_KEY: 'bad-key' })
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(500))
  await folder.write('spec.yaml', ticketSpec(simulated.url).replace('  params:', '  api_key_env: THE_KEY\n  params:'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(4)
  expect(summaryOf(run.stdout)).toMatchObject({ state: 'paused', reason: 'credentials', cost_usd: 0 })
  expect(simulated.requests().length).toBeLessThanOrEqual(8)
  expect(run.stderr).not.toContain('bad-key')

  const mended = await folder.with({ THE_KEY: 'good-key' }).run('resume')
  expect(mended.code, mended.stderr).toBe(0)
  expect(summaryOf(mended.stdout).rows).toMatchObject({ total: 500, succeeded: 500, failed: 0 })
})

it('a key that is not set is said before anything is created', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(5))
  await folder.write('spec.yaml', ticketSpec(simulated.url).replace('  params:', '  api_key_env: NOT_SET\n  params:'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code).toBe(4)
  expect(run.stderr).toContain('NOT_SET')
  expect(simulated.requests()).toEqual([])
})

it('an error rate over pause_if pauses the job with exit 3', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--refusal', '60%')
  await folder.write('tickets.csv', tickets(600))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'pause_if: { failed_over: 20%, after_rows: 50 }\n'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(3)
  const summary = summaryOf(run.stdout)
  expect(summary).toMatchObject({ state: 'paused', reason: 'error_rate' })
  expect(summary.rows.failed).toBeLessThan(600 * 0.6)
})

it('a missed gate is exit 3, and `retry` opens a round over the failed rows alone', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--refusal', '20%')
  await folder.write('tickets.csv', tickets(200))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'gates: { min_success: 99% }\n'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(3)
  const first = summaryOf(run.stdout)
  expect(first).toMatchObject({ state: 'failed', reason: 'gate' })
  const before = simulated.requests().length

  const retried = await folder.run(
    'retry',
    String(first.job),
    '--cause',
    'refused',
    '--model',
    'openai-compatible/another',
  )
  expect(retried.code, retried.stderr).not.toBe(2)
  const asked = simulated.requests().slice(before)
  expect(asked.length).toBe(first.rows.failed)
  const rounds = await folder.query<{ round: number; n: number }>(
    'select round, count(*) as n from rows group by round order by round',
  )
  expect(rounds).toEqual([
    { round: 0, n: first.rows.succeeded },
    { round: 1, n: first.rows.failed },
  ])
})

it('pause, set, resume and cancel work from another terminal', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '60ms')
  await folder.write('tickets.csv', tickets(3_000))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const running = folder.start('run', 'spec.yaml')
  const ended = () => folder.count('rows')
  await until(() => simulated.requests().length > 100, 'the job runs')
  const [job] = await folder.query<{ id: string }>('select id from jobs')
  const id = String(job?.id)
  expect((await folder.run('set', id, '--concurrency', '2')).code).toBe(0)
  expect((await folder.run('pause', id)).code).toBe(0)
  expect(await running.ended, running.stderr()).toBe(130)
  expect(summaryOf(running.stdout())).toMatchObject({ state: 'paused', reason: 'user' })
  const done = await ended()
  expect(done).toBeGreaterThan(0)
  expect(done).toBeLessThan(3_000)
  expect(await folder.query("select id from attempts where state = 'open'")).toEqual([])

  const again = folder.start('resume', id)
  await until(async () => (await ended()) > done, 'the job goes on')
  expect((await folder.run('cancel', id)).code).toBe(0)
  expect(await again.ended, again.stderr()).toBe(1)
  const summary = summaryOf(again.stdout())
  expect(summary.state).toBe('cancelled')
  expect(summary.rows.succeeded + summary.rows.cancelled).toBe(3_000)
  const statuses = new Set((await folder.results()).map((row) => row._status))
  expect([...statuses].sort()).toEqual(['cancelled', 'ok'])
})
