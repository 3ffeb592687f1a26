import { mkdir, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

const anyUrl = 'http://127.0.0.1:9'

it.each([
  ['a file', (folder: JobFolder) => folder.write('data', 'in the way')],
  ['inside a file', (folder: JobFolder) => folder.write('data', '').then(() => 'data/inner')],
  [
    'where another program keeps its database',
    async (folder: JobFolder) => {
      await mkdir(folder.dataDir)
      const foreign = new DatabaseSync(join(folder.dataDir, 'sluice.db'))
      foreign.exec('create table theirs (a)')
      foreign.close()
    },
  ],
  [
    'where sluice.db is no database',
    async (folder: JobFolder) => {
      await mkdir(folder.dataDir)
      await folder.write('data/sluice.db', 'no database at all '.repeat(100))
    },
  ],
])('a data directory that is %s is said, with what to do; nothing is harmed', async (_what, prepare) => {
  const folder = await jobFolder()
  await folder.write('tickets.csv', tickets(3))
  await folder.write('spec.yaml', ticketSpec(anyUrl))
  const place = (await prepare(folder)) ?? 'data'
  const dataDir = place === 'data/inner' ? place : 'data'
  const run = await folder.run('run', 'spec.yaml', '--data-dir', dataDir)
  expect(run.code, run.stderr).toBe(1)
  expect(run.stderr).toContain(join(folder.dir, 'data'))
  expect(run.stderr).toMatch(/--data-dir/)
  expect(run.stderr).not.toMatch(/\bat .*\.ts:\d+/)
})

it('a spec that is a folder is no spec', async () => {
  const folder = await jobFolder()
  await mkdir(join(folder.dir, 'spec.yaml'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code).toBe(2)
  expect(run.stderr).toContain('spec.yaml is a folder')
})

it('a damaged snapshot ends the job clearly, and keeps what was done', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '50ms')
  await folder.write('tickets.csv', tickets(400))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { chunk_rows: 20, concurrency: { max: 8 } }\n'))
  const running = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count('rows')) >= 60, 'some rows are done')
  running.child.kill('SIGKILL')
  await running.ended
  const done = await folder.count('rows')
  for (const file of await filesBelow(join(folder.dataDir, 'blob'))) await truncate(file, (await stat(file)).size >> 1)
  const resumed = await folder.run('resume')
  expect(resumed.code, resumed.stderr).toBe(1)
  expect(resumed.stderr).toMatch(/snapshot/)
  expect(resumed.stderr).not.toMatch(/\bat .*\.ts:\d+/)
  expect(summaryOf(resumed.stdout).state).toBe('failed')
  // What could still be read was done; nothing that was done is lost.
  expect(await folder.count("rows where state = 'succeeded'")).toBeGreaterThanOrEqual(done)
  const looked = await folder.run('results')
  expect(looked.code).toBe(1)
  expect(looked.stderr).toMatch(/snapshot/)
})

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
