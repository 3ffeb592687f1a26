import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, summaryOf, tickets } from './job-folder.ts'
import type { LoggedRequest } from './simulated-provider.ts'

const ROWS = 60

const spec = (name: string, url: string, model: string, execution: string) => `version: 1
name: ${name}
input: { source: tickets.csv, key: id }
model:
  id: ${model}
  base_url: ${url}
  api_key_env: THE_KEY
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { ${execution}, cache: off, chunk_rows: 20, retries: 0 }
`

const nanoOf = (requests: readonly LoggedRequest[]) => requests.reduce((sum, { cost_nano }) => sum + cost_nano, 0)

/** What the newest job has cost, by its ledger; and how its rows went. */
async function newestJob(folder: JobFolder) {
  const [job] = await folder.query<{ cost: number; attempts: number; route: string }>(
    `select sum(attempts.cost_nano) as cost, count(*) as attempts, max(jobs.route) as route
     from attempts join jobs on jobs.job_no = attempts.job_no where attempts.job_no = (select max(job_no) from jobs)`,
  )
  return { costNano: Number(job?.cost), attempts: Number(job?.attempts), route: JSON.parse(job?.route ?? 'null') }
}

// What the stores do for it is in their conformance suite: once is enough.
it.each([
  ['openai/gpt-5-mini', '/v1'],
  ['openai-responses/gpt-5-mini', '/v1'],
  ['google/gemini-2.5-flash', '/v1beta'],
])(
  '%s: `lane: auto` goes as flex at exactly half the bill, though a fifth is refused for want of room',
  async (model, path) => {
    const folder = await jobFolder({ THE_KEY: 'good-key' })
    await folder.write('tickets.csv', tickets(ROWS))
    const { url, requests } = await provider(folder, '--latency', '20ms', '--flex-refused', '20%')
    await folder.write('live.yaml', spec('plain', `${url}${path}`, model, 'lane: live'))
    await folder.write('auto.yaml', spec('cheap', `${url}${path}`, model, 'lane: auto'))
    expect((await folder.run('run', 'live.yaml')).code).toBe(0)
    const live = [...requests()]
    expect((await newestJob(folder)).costNano).toBe(nanoOf(live))

    const ended = await folder.run('run', 'auto.yaml')
    expect(ended.code, ended.stderr).toBe(0)
    expect(summaryOf(ended.stdout).rows).toMatchObject({ total: ROWS, succeeded: ROWS, failed: 0 })
    const asked = requests().slice(live.length)
    const refused = asked.filter(({ fault }) => fault === 'no_flex')
    expect(refused.length).toBeGreaterThan(0)
    expect(asked.filter(({ billed }) => billed)).toHaveLength(ROWS)
    const job = await newestJob(folder)
    expect(job).toMatchObject({ costNano: nanoOf(asked), attempts: ROWS + refused.length })
    expect(2 * job.costNano).toBe(nanoOf(live))
    expect(job.route).toMatchObject({ way: 'flex', changes: [] })
    const report = JSON.parse((await folder.run('report', '--format', 'json')).stdout)
    expect(Math.round(report.cost_usd.total * 1e9)).toBe(job.costNano)
  },
)

it('goes on live where its provider turns out not to serve the model as flex', async () => {
  const folder = await jobFolder({ THE_KEY: 'good-key' })
  await folder.write('tickets.csv', tickets(ROWS))
  const { url, requests } = await provider(folder, '--latency', '20ms', '--flex-none')
  await folder.write('auto.yaml', spec('cheap', `${url}/v1`, 'openai/gpt-5-mini', 'lane: auto'))
  const ended = await folder.run('run', 'auto.yaml')
  expect(ended.code, ended.stderr).toBe(0)
  expect(summaryOf(ended.stdout).rows).toMatchObject({ total: ROWS, succeeded: ROWS, failed: 0 })
  const billed = requests().filter((request) => request.billed)
  expect(billed).toHaveLength(ROWS)
  expect((await newestJob(folder)).costNano).toBe(nanoOf(billed))
})
