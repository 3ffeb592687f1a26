import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'

const ROWS = 1_000

it('a storm: every row ends, none is lost, and the causes are right', async () => {
  const folder = await jobFolder()
  const simulated = await provider(
    folder,
    ...['--rate-limited', '20%', '--server-error', '5%', '--reset', '5%', '--malformed', '5%'],
    ...['--schema-missing', '5%', '--refusal', '1%', '--latency', '5ms', '--retry-after', '20ms'],
  )
  await folder.write('tickets.csv', tickets(ROWS))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  const summary = summaryOf(run.stdout)
  expect(summary.rows.succeeded + summary.rows.failed).toBe(ROWS)
  const results = await folder.results()
  expect(results.map((row) => row._row_index)).toEqual(Array.from({ length: ROWS }, (_, index) => index))

  // About 1 % of the bodies are refused whenever they are asked; hardly anything else gives up.
  const failed = results.filter((row) => row._status === 'failed')
  const refused = failed.filter((row) => row._error === 'refused')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.length).toBeLessThan(ROWS * 0.03)
  expect(failed.length - refused.length).toBeLessThan(ROWS * 0.01)

  const causes = await folder.query<{ cause: string; counts: number; n: number }>(
    'select cause, counts, count(*) as n from attempts where cause is not null group by cause, counts',
  )
  const of = (cause: string) => causes.filter((entry) => entry.cause === cause)
  for (const cause of ['rate_limited', 'provider_error', 'connection', 'schema_invalid', 'refused']) {
    expect(of(cause).length, cause).toBeGreaterThan(0)
  }
  expect(of('rate_limited').every((entry) => entry.counts === 0)).toBe(true)

  // Each request that the provider saw stands in the ledger once, with the provider's own figures.
  const ledger = (
    await folder.query<{ n: number; cost: number }>('select count(*) as n, sum(cost_nano) as cost from attempts')
  )[0]
  const bill = simulated.requests()
  expect(ledger?.n).toBe(bill.length)
  expect(ledger?.cost).toBe(bill.reduce((sum, request) => sum + (request.billed ? request.cost_nano : 0), 0))
}, 300_000)
