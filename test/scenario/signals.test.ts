import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

async function runningJob(latency: string, requests: number) {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', latency)
  await folder.write('tickets.csv', tickets(2_000))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const running = folder.start('run', 'spec.yaml')
  await until(() => simulated.requests().length >= requests, 'the job runs')
  return { folder, simulated, running }
}

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s finishes the rows in flight, checkpoints, and exits %i', async (signal, code) => {
  const { folder, simulated, running } = await runningJob('50ms', 60)
  running.child.kill(signal)
  expect(await running.ended, running.stderr()).toBe(code)
  // Nothing was hung up on: all that was sent has been booked.
  expect(await folder.query("select id from attempts where state <> 'booked'")).toEqual([])
  expect(await folder.count('attempts')).toBe(simulated.requests().length)
  expect(await folder.query("select chunk_no from chunks where state = 'leased'")).toEqual([])
  const resumed = await folder.run('resume')
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(summaryOf(resumed.stdout).rows).toMatchObject({ total: 2_000, succeeded: 2_000 })
  expect(simulated.requests().length).toBe(2_000)
})

it('a second signal stops at once, and is still safe', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '30s')
  await folder.write('tickets.csv', tickets(2_000))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const running = folder.start('run', 'spec.yaml')
  const opened = () => folder.count("attempts where state = 'open'")
  await until(async () => (await opened()) >= 4, 'the first requests are on their way')
  running.child.kill('SIGINT')
  await until(() => /second signal/.test(running.stderr()), 'the first signal is heard')
  // Two signals within a tenth of a second are one press of Ctrl-C (npx passes on what the terminal has sent already).
  await new Promise((resolve) => setTimeout(resolve, 200))
  running.child.kill('SIGINT')
  expect(await running.ended).toBe(130)
  // Nobody saw the answers of what was in flight: whoever takes the chunk up books it as lost, once.
  const open = await opened()
  expect(open).toBeGreaterThanOrEqual(4)
  const again = folder.start('resume')
  await until(async () => (await folder.count("attempts where state = 'lost'")) === open, 'they are booked as lost')
  again.child.kill('SIGKILL')
  await again.ended
})
