import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

it('a job key never bills twice: it attaches, returns what is finished, and refuses other work', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '50ms')
  const rows = 400
  await folder.write('tickets.csv', tickets(rows))
  const spec = ticketSpec(simulated.url, 'execution: { chunk_rows: 20, concurrency: { max: 8 }, cache: off }\n')
  await folder.write('spec.yaml', spec)
  const run = ['run', 'spec.yaml', '--job-key', 'nightly']
  const first = folder.start(...run)
  await until(() => simulated.requests().length > 20, 'the first one works')
  const second = folder.start(...run)
  expect(await first.ended, first.stderr()).toBe(0)
  expect(await second.ended, second.stderr()).toBe(0)
  expect(second.stderr()).toContain('nightly')
  const job = summaryOf(first.stdout()).job
  expect(summaryOf(second.stdout())).toMatchObject({ job, state: 'completed', rows: { total: rows, succeeded: rows } })
  expect(simulated.requests()).toHaveLength(rows)

  const third = await folder.run(...run)
  expect(third.code, third.stderr).toBe(0)
  expect(summaryOf(third.stdout)).toMatchObject({ job, state: 'completed', rows: { total: rows, succeeded: rows } })
  expect(simulated.requests()).toHaveLength(rows)

  await folder.write('other.yaml', spec.replace('{{ text }}', 'Label it: {{ text }}'))
  const otherSpec = await folder.run('run', 'other.yaml', '--job-key', 'nightly')
  expect(otherSpec.code, otherSpec.stderr).toBe(2)
  expect(otherSpec.stderr).toContain('nightly')
  await folder.write('tickets.csv', tickets(rows + 1))
  const otherInput = await folder.run(...run)
  expect(otherInput.code, otherInput.stderr).toBe(2)
  expect(simulated.requests()).toHaveLength(rows)
  expect(await folder.count('jobs')).toBe(1)
})

it('a job key resumes the job that has it', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '50ms')
  await folder.write('tickets.csv', tickets(300))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { concurrency: { max: 8 } }\n'))
  const first = folder.start('run', 'spec.yaml', '--job-key', 'nightly')
  await until(async () => (await folder.count('rows')) > 40, 'some rows are done')
  first.child.kill('SIGINT')
  expect(await first.ended, first.stderr()).toBe(130)
  const second = await folder.run('run', 'spec.yaml', '--job-key', 'nightly')
  expect(second.code, second.stderr).toBe(0)
  expect(summaryOf(second.stdout).rows).toMatchObject({ total: 300, succeeded: 300 })
  expect(simulated.requests()).toHaveLength(300)
  expect(await folder.count('jobs')).toBe(1)
})
