import { expect, it } from 'vitest'
import { jobFolder, provider, ticketSpec, tickets } from './job-folder.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

const PER_MINUTE = 1_200

it('four workers on one key keep to its limit together and use it up, though one of them is killed', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--rpm', String(PER_MINUTE), '--latency', '300ms')
  await folder.write('tickets.csv', tickets(2_000))
  const execution = 'execution: { chunk_rows: 25, cache: off, concurrency: { max: 64 } }\n'
  await folder.write('spec.yaml', ticketSpec(simulated.url, execution))
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)

  const start = () => folder.start('worker', '--chunks', '4')
  const workers: SluiceProcess[] = Array.from({ length: 4 }, start)
  const owners = () => folder.query<{ owner: string }>('select distinct owner from chunks where owner is not null')
  await until(async () => (await owners()).length === 4 && simulated.requests().length > 100, 'all four work')
  const [began, before] = [Date.now(), simulated.requests().length]
  await until(() => simulated.requests().length > before + 150, 'they have worked for a while')
  const [killed] = workers
  killed?.child.kill('SIGKILL')
  workers.push(start())
  await until(() => simulated.requests().length > before + 400, 'another has come in its place')
  const ended = Date.now()
  for (const { child } of workers) child.kill('SIGKILL')
  for (const { ended: end } of workers) await end

  // The provider lets a minute's worth through at once: what holds the workers is what they keep to together.
  const here = simulated.requests().filter(({ time }) => time >= began && time < ended)
  const share = here.length / ((PER_MINUTE * (ended - began)) / 60_000)
  expect(share).toBeGreaterThan(0.9)
  expect(share).toBeLessThan(1.06)
  expect(simulated.requests().filter(({ status }) => status === 429)).toEqual([])

  // What one of them heard of the limit stands there for all.
  const limits = await folder.query<{ learned: number; learned_how: string; window_ms: number }>(
    `select learned, learned_how, window_ms from limits where kind = 'requests'`,
  )
  expect(limits).toEqual([{ learned: PER_MINUTE, learned_how: 'said', window_ms: 60_000 }])
}, 180_000)
