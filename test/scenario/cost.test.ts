import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, summaryOf, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

const ROWS = 240

const spec = (name: string, url: string, more: string) => `version: 1
name: ${name}
${more}
input: { source: tickets.csv, key: id }
model:
  id: openai-compatible/main
  base_url: ${url}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
  fallback:
    - id: openai-compatible/second
      when: [refused]
      max_share: 50%
      price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { chunk_rows: 20, concurrency: { max: 16 } }
`

interface Figures {
  readonly attempts: number
  readonly open: number
  readonly tokens: Readonly<Record<string, number>>
  readonly cost_usd: number | null
  readonly without_accepted_answer_usd: number
  readonly lost_usd: number
  readonly orphaned_usd: number
}

const nano = (usd: number | null) => Math.round((usd ?? 0) * 1e9)
const numbersOf = (one: Figures) => [
  one.attempts,
  one.open,
  ...Object.values(one.tokens),
  nano(one.cost_usd),
  nano(one.without_accepted_answer_usd),
  nano(one.lost_usd),
  nano(one.orphaned_usd),
]

/** The lines of `sluice cost`, whose sum was seen to be the total, number by number. */
async function costBy(folder: JobFolder, ...flags: string[]) {
  const { code, stdout, stderr } = await folder.run('cost', ...flags)
  expect(code, stderr).toBe(0)
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as Figures & { readonly type: string; readonly key: string | null })
  const lines = events.filter(({ type }) => type === 'cost')
  const total = events.find(({ type }) => type === 'cost_total') as Figures
  const sum = lines.map(numbersOf).reduce((a, b) => a.map((number, at) => number + (b[at] ?? 0)))
  expect(sum).toEqual(numbersOf(total))
  return { lines, total }
}

it('`cost` adds up to the nano-dollar, however it is cut: after a crash, resume, retry, fallback and cancel', async () => {
  const folder = await jobFolder()
  const faults = ['--malformed', '15%', '--overloaded', '5%', '--refusal', '20%', '--latency', '60ms']
  const { url, requests } = await provider(folder, ...faults)
  await folder.write('tickets.csv', tickets(ROWS))
  const [first, second] = ['tags: { team: support, area: a }', 'tags: { area: b }']
  await folder.write('one.yaml', spec('one', url, first))
  await folder.write('two.yaml', spec('two', url, second))

  const killed = folder.start('run', 'one.yaml')
  await until(() => requests().length > 60, 'it works')
  killed.child.kill('SIGKILL')
  await killed.ended
  // What is open counts in nothing yet.
  const midway = await costBy(folder)
  expect(midway.total.attempts).toBeGreaterThan(0)
  const resumed = await folder.run('resume')
  expect(resumed.code, resumed.stderr).toBe(0)
  await folder.write('one.yaml', spec('one', url, first.replace('area: a', 'area: c')))
  await folder.run('retry', '--spec', 'current')

  const cancelled = folder.start('run', 'two.yaml')
  const before = requests().length
  await until(() => requests().length > before + 40, 'the other works')
  await folder.run('cancel')
  await cancelled.ended

  const byJob = await folder.run('jobs', '--json')
  const jobs = byJob.stdout.split('\n').flatMap((text) => (text.includes('"type":"job"') ? [JSON.parse(text)] : []))
  const sums = (
    await folder.query<Record<string, number>>(
      'select count(*) as attempts, sum(input_tokens) as input, sum(cached_tokens) as cached, sum(output_tokens) as output, sum(cost_nano) as cost from attempts',
    )
  )[0]
  const { lines, total } = await costBy(folder, '--by', 'team')
  expect(lines.map(({ key }) => key).toSorted()).toEqual([null, 'support'])
  expect([total.attempts, total.open]).toEqual([Number(sums?.attempts), 0])
  expect(total.tokens).toMatchObject({ input: Number(sums?.input), output: Number(sums?.output) })
  expect(nano(total.cost_usd)).toBe(Number(sums?.cost))
  expect(nano(total.cost_usd)).toBe(jobs.reduce((sum, job) => sum + nano(job.cost_usd), 0))
  expect(total.lost_usd).toBeGreaterThan(0)
  expect(total.without_accepted_answer_usd).toBeGreaterThanOrEqual(total.lost_usd)
  // From here on they are read as they were kept.
  const cuts = [
    ['tag.area', ['a', 'b', 'c']],
    ['model', ['openai-compatible/main', 'openai-compatible/second']],
    ['spec', ['one', 'two']],
    ['day', null],
  ] as const
  for (const [by, keys] of cuts) {
    const cut = await costBy(folder, '--by', by, '--since', '1d')
    expect(numbersOf(cut.total)).toEqual(numbersOf(total))
    if (keys !== null) expect(cut.lines.map(({ key }) => key).toSorted()).toEqual(keys)
  }
  // Never below the invoice: what was lost stands there at its worst case.
  const billNano = requests().reduce((sum, request) => sum + request.cost_nano, 0)
  expect(nano(total.cost_usd)).toBeGreaterThanOrEqual(billNano)
  expect(summaryOf(resumed.stdout).state).toBe('completed')
}, 480_000)
