import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

const anyUrl = 'http://127.0.0.1:9'

it.each([
  ['an empty file', '', 'tickets.csv'],
  ['a missing column', 'id,subject\nt1,hello\n', 'text'],
  ['an output field named like an input column', 'id,text,topic\nt1,hello,x\n', 'topic'],
  ['duplicate headers', 'id,text,text\nt1,a,b\n', 'text'],
  ['duplicate keys', 'id,text\nt1,a\nt1,b\n', 't1'],
])('%s is a clear error, exit 2, and nothing is sent', async (_what, csv, named) => {
  const folder = await jobFolder()
  await folder.write('tickets.csv', csv)
  await folder.write('spec.yaml', ticketSpec(anyUrl))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(2)
  expect(run.stderr).toContain(named)
  expect(run.stderr).not.toMatch(/\bat .*\.ts:\d+/)
})

it('a spec from the future, and a file that is not there', async () => {
  const folder = await jobFolder()
  await folder.write('tickets.csv', tickets(3))
  await folder.write('spec.yaml', ticketSpec(anyUrl).replace('version: 1', 'version: 2'))
  const future = await folder.run('run', 'spec.yaml')
  expect(future.code).toBe(2)
  expect(future.stderr).toMatch(/version/)
  const missing = await folder.run('run', 'spce.yaml')
  expect(missing.code).toBe(2)
  expect(missing.stderr).toContain('spec.yaml')
})

it('broken lines are dead letters with their line numbers, and the rest is done', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  const long = 'x'.repeat(40 * 1024 * 1024)
  const lines = [
    'id,text',
    't0,fine',
    't1,too,many',
    't2,zero\u0000byte',
    `t3,${long}`,
    't4,good',
    't5,"never closed',
    't6,well',
    '',
  ]
  await folder.write('tickets.csv', lines.join('\n'))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  const results = await folder.results()
  expect(results).toHaveLength(7)
  const byStatus = (status: string) => results.filter((row) => row._status === status)
  expect(byStatus('ok').map((row) => row._row_id)).toEqual(['t0', 't4', 't6'])
  expect(byStatus('failed').map((row) => row._row_id)).toEqual(['line:3', 'line:4', 'line:5', 'line:7'])
  expect(new Set(byStatus('failed').map((row) => row._error))).toEqual(new Set(['input_unreadable']))
  expect(simulated.requests().length).toBe(3)
}, 120_000)

it('a job without rows passes', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  await folder.write('tickets.csv', 'id,text\n')
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'gates: { min_success: 100% }\n'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  expect(summaryOf(run.stdout)).toMatchObject({ state: 'completed', rows: { total: 0 } })
})

it('an intake that is killed goes on where it was', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  const rows = 400_000
  const filler = 'a long line of text, which makes the file large enough '.repeat(4)
  const lines = Array.from({ length: rows }, (_, index) => `t${index},"${index} ${filler}"`)
  await folder.write('tickets.csv', `id,text\n${lines.join('\n')}\n`)
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { chunk_rows: 500 }\n'))
  const running = folder.start('run', 'spec.yaml', '--limit', String(rows))
  await until(async () => (await folder.count('segments')) >= 2, 'two segments are committed', 60_000)
  running.child.kill('SIGKILL')
  await running.ended
  expect(await folder.query<{ state: string }>('select state from jobs')).toEqual([{ state: 'created' }])
  const before = await folder.query<{ segment_no: number; sha256: unknown }>(
    'select * from segments order by segment_no',
  )

  const again = folder.start('resume')
  await until(
    async () => (await folder.query<{ state: string }>('select state from jobs'))[0]?.state === 'running',
    'the intake ends',
    60_000,
  )
  again.child.kill('SIGKILL')
  await again.ended
  const after = await folder.query<{ segment_no: number }>('select * from segments order by segment_no')
  expect(after.slice(0, before.length)).toEqual(before)
  expect((await folder.query<{ n: number }>('select rows_total as n from jobs'))[0]?.n).toBe(rows)
  expect((await folder.query<{ n: number }>('select sum(rows) as n from chunks'))[0]?.n).toBe(rows)
}, 180_000)
