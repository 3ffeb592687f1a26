import { expect, it } from 'vitest'
import { ON_POSTGRES } from './back-end.ts'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

/** The `progress` lines of a command's stdout. */
function progressIn(stdout: string) {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{"type":"progress"'))
    .map((line) => JSON.parse(line) as { readonly rows_done: number; readonly rows: { readonly total: number } })
}

it('a resumed job starts its bar at what is done, and says so in the end', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '50ms')
  await folder.write('tickets.csv', tickets(400))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { concurrency: { max: 8 } }\n'))
  const first = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count('rows')) >= 100, 'a quarter is done')
  first.child.kill('SIGKILL')
  await first.ended
  const done = await folder.count('rows')
  const resumed = await folder.run('resume')
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(progressIn(resumed.stdout)[0]?.rows_done).toBeGreaterThanOrEqual(done)
  expect(summaryOf(resumed.stdout).rows).toMatchObject({ total: 400, succeeded: 400 })
  const again = await folder.run('resume')
  expect(again.code, again.stderr).toBe(0)
  expect(again.stderr).toMatch(/nothing/i)
})

it('`wait --timeout` gives up with exit 6, and `pause` of a job that nobody works on is made at once', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '20s')
  await folder.write('tickets.csv', tickets(50))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const running = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count("attempts where state = 'open'")) > 0, 'the job runs')
  const waited = await folder.run('wait', '--timeout', '300ms')
  expect(waited.code, waited.stderr).toBe(6)
  running.child.kill('SIGKILL')
  await running.ended
  // Its worker is dead: nobody holds it, whatever the queue still says.
  // On one machine that is seen at once; in a fleet its silence must last for a while.
  const pause = async () => {
    const paused = await folder.run('pause')
    expect(paused.code, paused.stderr).toBe(0)
    return (await folder.count("jobs where state = 'paused'")) === 1
  }
  if (ON_POSTGRES) await until(pause, 'the worker is taken for dead')
  else expect(await pause()).toBe(true)
  expect(await folder.query('select state, reason, wanted from jobs')).toEqual([
    { state: 'paused', reason: 'user', wanted: null },
  ])
  const twice = await folder.run('pause')
  expect(twice.code, twice.stderr).toBe(0)
  const stands = await folder.run('wait')
  expect(stands.code, stands.stderr).toBe(130)
  const cancelled = await folder.run('cancel')
  expect(cancelled.code, cancelled.stderr).toBe(0)
  expect(await folder.query('select state from jobs')).toEqual([{ state: 'cancelled' }])
  const statuses = (await folder.results()).map((row) => row._status)
  expect(statuses).toEqual(Array.from({ length: 50 }, () => 'cancelled'))
})

it('a job whose input was not read to the end can be cancelled', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(400_000))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const running = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count("jobs where state = 'created'")) === 1, 'the job is there')
  running.child.kill('SIGKILL')
  await running.ended
  expect(await folder.query('select state from jobs')).toEqual([{ state: 'created' }])
  const cancelled = await folder.run('cancel')
  expect(cancelled.code, cancelled.stderr).toBe(0)
  expect(await folder.query('select state from jobs')).toEqual([{ state: 'cancelled' }])
  for (const look of ['status', 'report', 'failed']) {
    const looked = await folder.run(look)
    expect(looked.code, `${look}: ${looked.stderr}`).toBe(0)
  }
  const results = await folder.run('results')
  expect(results.code).toBe(2)
  expect(results.stderr).toContain('has not been read in full')
  expect(simulated.requests()).toEqual([])
})

it('`try` is not judged by the gates of the whole, writes no results file, and is not paid for again', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(20))
  const gates = 'gates: { max_cost_per_row_usd: 0.000001 }\nwrite: { path: out.csv }\n'
  await folder.write('spec.yaml', ticketSpec(simulated.url, gates))
  const tried = await folder.run('try', 'spec.yaml', '-n', '5')
  expect(tried.code, tried.stderr).toBe(0)
  expect(summaryOf(tried.stdout)).toMatchObject({ state: 'completed', rows: { total: 5, succeeded: 5 } })
  const listed = await folder.run('jobs')
  expect(listed.stdout).not.toContain('"type":"job"')
  const all = await folder.run('jobs', '--all')
  expect(all.stdout).toContain('"type":"job"')
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(3)
  expect(summaryOf(run.stdout)).toMatchObject({ state: 'failed', reason: 'gate', rows: { succeeded: 20, cached: 5 } })
  expect(simulated.requests()).toHaveLength(20)
})
