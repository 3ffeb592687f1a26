import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, summaryOf, ticketSpec } from './job-folder.ts'
import { until } from './sluice-process.ts'

/** A CSV of tickets with these texts. */
function csv(texts: readonly number[]): string {
  return `id,text\n${texts.map((text, index) => `t${index},"Please refund number ${text}"`).join('\n')}\n`
}

/** `rows` rows of which each text stands in as many as the others, spread over the file. */
const spread = (rows: number, texts: number) => Array.from({ length: rows }, (_, index) => index % texts)

const upTo = (n: number) => Array.from({ length: n }, (_, index) => index)

async function prepared(texts: readonly number[], more = '', ...flags: string[]) {
  const folder = await jobFolder()
  const simulated = await provider(folder, ...flags)
  await folder.write('tickets.csv', csv(texts))
  await folder.write('spec.yaml', ticketSpec(simulated.url, more))
  return { folder, simulated }
}

async function runs(folder: JobFolder) {
  const { code, stdout, stderr } = await folder.run('run', 'spec.yaml')
  expect(code, stderr).toBe(0)
  return summaryOf(stdout)
}

it('asks 60 of 100 rows of which 40 are duplicates, says so of each row, and how much it saved', async () => {
  const { folder, simulated } = await prepared(spread(100, 60), 'execution: { chunk_rows: 20 }\n')
  const summary = await runs(folder)
  expect(summary.rows).toMatchObject({ total: 100, succeeded: 100, cached: 40 })
  expect(simulated.requests()).toHaveLength(60)
  const results = await folder.results()
  expect(results.filter((row) => row._lane === 'cache')).toHaveLength(40)
  expect(results.filter((row) => row._lane === 'live')).toHaveLength(60)
  // Equal rows have equal answers, and those that were reused cost nothing.
  const topics = Map.groupBy(results, (row) => row.text)
  for (const rows of topics.values()) expect(new Set(rows.map((row) => row.topic)).size).toBe(1)
  expect(new Set(results.filter((row) => row._lane === 'cache').map((row) => row._cost_usd))).toEqual(new Set([0]))
  const [job] = await folder.query<{ saved: number; tokens: number; cached_here: number }>(
    'select saved_nano as saved, saved_input_tokens + saved_output_tokens as tokens, cached_here from jobs',
  )
  const bill = simulated.requests().slice(0, 40)
  expect(Number(job?.cached_here)).toBe(40)
  expect(Number(job?.saved)).toBeGreaterThan(0)
  expect(Number(job?.tokens)).toBeGreaterThan(bill.length)
  const report = await folder.run('report')
  expect(report.stdout).toContain('answers reused: 40 of this job (')
})

it('asks only what is new in a file that has grown, all where the prompt has changed, and all again with `cache: off`', async () => {
  const { folder, simulated } = await prepared(upTo(50))
  await runs(folder)
  expect(simulated.requests()).toHaveLength(50)
  await folder.write('tickets.csv', csv(upTo(60)))
  expect((await runs(folder)).rows).toMatchObject({ total: 60, succeeded: 60, cached: 50 })
  expect(simulated.requests()).toHaveLength(60)
  const report = await folder.run('report')
  expect(report.stdout).toContain('answers reused: 50 of earlier jobs (')

  await folder.write('spec.yaml', ticketSpec(simulated.url).replace('{{ text }}', 'Look: {{ text }}'))
  expect((await runs(folder)).rows).toMatchObject({ total: 60, cached: 0 })
  expect(simulated.requests()).toHaveLength(120)
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { cache: off }\n'))
  expect((await runs(folder)).rows).toMatchObject({ total: 60, cached: 0 })
  expect(simulated.requests()).toHaveLength(180)
}, 240_000)

it('reuses the answers of another spec of the tenant, where both say so', async () => {
  const { folder, simulated } = await prepared(upTo(10), 'execution: { cache: tenant }\n')
  await runs(folder)
  const named = (text: string) => text.replace('name: tickets', 'name: others')
  await folder.write('spec.yaml', named(ticketSpec(simulated.url, 'execution: { cache: tenant }\n')))
  expect((await runs(folder)).rows).toMatchObject({ cached: 10 })
  await folder.write('spec.yaml', named(ticketSpec(simulated.url)))
  expect((await runs(folder)).rows).toMatchObject({ cached: 0 })
  expect(simulated.requests()).toHaveLength(20)
})

it('pays for what was in flight at a kill -9 and for nothing else twice, whether the job is resumed or another takes its place', async () => {
  const { folder, simulated } = await prepared(
    spread(200, 80),
    'execution: { chunk_rows: 25, concurrency: { max: 8 } }\n',
    '--latency',
    '100ms',
  )
  const first = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count("rows where state = 'succeeded'")) >= 20, 'some rows have ended')
  first.child.kill('SIGKILL')
  await first.ended
  // The first job still has its chunks, and with them its claims: its worker is known to be dead.
  const summary = await runs(folder)
  expect(summary.rows).toMatchObject({ total: 200, succeeded: 200 })
  expect(simulated.requests().length).toBeGreaterThanOrEqual(80)
  expect(simulated.requests().length).toBeLessThanOrEqual(88)
  const asked = simulated.requests().length
  const [job] = await folder.query<{ id: string }>('select id from jobs order by job_no limit 1')
  const resumed = await folder.run('resume', job?.id ?? '')
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(summaryOf(resumed.stdout).rows).toMatchObject({ total: 200, succeeded: 200 })
  expect(simulated.requests()).toHaveLength(asked)
  expect(await folder.count("attempts where state = 'open'")).toBe(0)
}, 240_000)

it('two workers ask each request once, though both hold rows of it; what waits is no dead chunk', async () => {
  const { folder, simulated } = await prepared(
    spread(300, 30),
    'execution: { chunk_rows: 15, concurrency: { max: 8 } }\n',
    '--latency',
    '300ms',
  )
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  const workers = [1, 2].map(() => folder.start('worker', '--until-idle', '--chunks', '3'))
  for (const worker of workers) expect(await worker.ended, worker.stderr()).toBe(0)
  expect(simulated.requests()).toHaveLength(30)
  const results = await folder.results()
  expect(results.filter((row) => row._status === 'ok')).toHaveLength(300)
  expect(await folder.query('select chunk_no from chunks where deaths > 0')).toEqual([])
})

it('goes on where the worker of the asking row is killed, and where that of a waiting row is', async () => {
  const { folder, simulated } = await prepared(
    spread(40, 4),
    'execution: { chunk_rows: 5, concurrency: { max: 4 } }\n',
    '--latency',
    '30s',
  )
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  const leader = folder.start('worker', '--chunks', '1')
  await until(async () => (await folder.count("attempts where state = 'open'")) === 4, 'the first rows are asked')
  const waiting = folder.start('worker', '--chunks', '2')
  await until(async () => (await folder.count("chunks where state = 'parked'")) >= 1, 'others wait')
  waiting.child.kill('SIGKILL')
  leader.child.kill('SIGKILL')
  await Promise.all([waiting.ended, leader.ended])
  const last = folder.start('worker', '--until-idle')
  expect(await last.ended, last.stderr()).toBe(0)
  expect((await folder.results()).filter((row) => row._status === 'ok')).toHaveLength(40)
  expect(simulated.requests().length).toBeLessThanOrEqual(8)
  expect(await folder.count("attempts where state = 'open'")).toBe(0)
}, 300_000)
