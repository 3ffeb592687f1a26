import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { nonsenseServer } from './nonsense-server.ts'

const KEY = { SIMULATED_KEY: 'a-key' }

function specFor(url: string, id: string, more = ''): string {
  const base = id.startsWith('google/') ? `${url}/v1beta` : `${url}/v1`
  return ticketSpec(url, more)
    .replace('openai-compatible/simulated', id)
    .replace(`${url}/v1`, `${base}\n  api_key_env: SIMULATED_KEY`)
}

it.each(['openai/some-model', 'openai-responses/some-model', 'anthropic/some-model', 'google/some-model'])(
  '%s: refused, filtered and truncated answers are told apart',
  async (id) => {
    const folder = await jobFolder(KEY)
    const simulated = await provider(folder, '--refusal', '20%', '--content-filter', '20%', '--truncated', '50%')
    const rows = 80
    await folder.write('tickets.csv', tickets(rows))
    await folder.write('spec.yaml', specFor(simulated.url, id))
    const run = await folder.run('run', 'spec.yaml')
    expect(run.code, run.stderr).toBe(0)
    const sent = (fault: string) => simulated.requests().filter((request) => request.fault === fault).length
    expect(Math.min(sent('content_filter'), sent('refusal'), sent('truncated'))).toBeGreaterThan(5)
    // Gemini knows no refusal: what its model will not answer is blocked as prohibited content.
    const refusals = id.startsWith('google/') ? 'content_filtered' : 'refused'
    const expected = new Map([
      ['truncated', sent('truncated')],
      ['content_filtered', sent('content_filter')],
    ])
    expected.set(refusals, (expected.get(refusals) ?? 0) + sent('refusal'))
    const causes = await folder.query<{ cause: string; n: number }>(
      'select cause, count(*) as n from attempts where cause is not null group by cause',
    )
    expect(new Map(causes.map(({ cause, n }) => [cause, n]))).toEqual(expected)
    // Neither a refusal nor a filter is argued with: each such row has one attempt that met it.
    const gaveUp = await folder.query("select 1 from rows where state = 'failed' and cause <> 'truncated'")
    expect(gaveUp).toHaveLength(sent('content_filter') + sent('refusal'))
    const ledger = (await folder.query<{ cost: number }>('select sum(cost_nano) as cost from attempts'))[0]?.cost
    expect(ledger).toBe(
      simulated.requests().reduce((sum, request) => sum + (request.billed ? request.cost_nano : 0), 0),
    )
  },
)

it('a fallback takes the rows whose cause it names, and no others', async () => {
  const folder = await jobFolder()
  const first = await provider(folder, '--refusal', '20%', '--content-filter', '20%')
  const second = await provider(folder)
  await folder.write('tickets.csv', tickets(100))
  const fallback = `price: { input: "0.25", output: "2.00" }
  fallback: [{ id: openai-compatible/other, base_url: "${second.url}/v1", when: [refused] }]`
  await folder.write('spec.yaml', ticketSpec(first.url).replace('price: { input: "0.25", output: "2.00" }', fallback))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  const results = await folder.results()
  const refused = first.requests().filter((request) => request.fault === 'refusal').length
  const filtered = first.requests().filter((request) => request.fault === 'content_filter').length
  expect(refused).toBeGreaterThan(5)
  expect(filtered).toBeGreaterThan(5)
  expect(second.requests()).toHaveLength(refused)
  expect(results.filter((row) => row._status === 'failed').map((row) => row._error)).toEqual(
    Array.from({ length: filtered }, () => 'content_filtered'),
  )
  expect(results.filter((row) => String(row._model).startsWith('other'))).toHaveLength(refused)
})

it.each([
  ['a web page with a good status', 'html', 'provider_error'],
  ['an empty good answer', 'empty', 'provider_error'],
  ['a redirect', 'redirect', 'provider_error'],
  ['broken JSON with a good status', 'broken', 'provider_error'],
] as const)('%s is a failure with its cause, and a message that says it', async (_what, kind, cause) => {
  const folder = await jobFolder()
  const server = await nonsenseServer(kind)
  await folder.write('tickets.csv', tickets(2))
  await folder.write('spec.yaml', ticketSpec(server.url, 'execution: { retries: 1 }\n'))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  expect(summaryOf(run.stdout).rows).toMatchObject({ total: 2, failed: 2 })
  const failed = await folder.query<{ cause: string; message: string }>('select cause, message from rows')
  expect(failed.map((row) => row.cause)).toEqual([cause, cause])
  expect(failed[0]?.message).toMatch(/page|html|empty|nothing|redirect|JSON/i)
  expect(failed[0]?.message).not.toContain('<html')
})
