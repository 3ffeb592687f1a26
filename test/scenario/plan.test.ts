import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'

/** The plan among a command's lines on stdout. */
function planIn(stdout: string) {
  const line = stdout.split('\n').find((each) => each.startsWith('{"type":"plan"'))
  return JSON.parse(line ?? 'null') as {
    readonly plan: string
    readonly rows: { readonly total: number; readonly to_run: number; readonly reuse: number }
    readonly cost_usd: { readonly low: number; readonly high: number }
    readonly basis: { readonly kind: string; readonly rows?: number }
    readonly explain: { readonly reasons: readonly object[] } | null
  }
}

it('a plan with a pilot is kept, run, and refused once the input is another', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--malformed', '5%')
  await folder.write('tickets.csv', tickets(300))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const planned = await folder.run('plan', 'spec.yaml', '--sample', '40', '-o', 'plan.json')
  expect(planned.code, planned.stderr).toBe(0)
  const plan = planIn(planned.stdout)
  expect(plan).toMatchObject({ rows: { total: 300, to_run: 260, reuse: 40 }, basis: { kind: 'pilot', rows: 40 } })
  const ran = await folder.run('run', '--plan', 'plan.json')
  expect(ran.code, ran.stderr).toBe(0)
  const summary = summaryOf(ran.stdout) as { readonly rows: object; readonly cost_usd: number }
  expect(summary.rows).toMatchObject({ total: 300, cached: 40 })
  expect([summary.cost_usd >= plan.cost_usd.low, summary.cost_usd <= plan.cost_usd.high]).toEqual([true, true])
  expect(await folder.query(`select trigger_ref from jobs where trigger_ref = '${plan.plan}'`)).toHaveLength(1)
  const sent = simulated.requests().length
  await folder.write('tickets.csv', tickets(301))
  const stale = await folder.run('run', '--plan', 'plan.json')
  expect(stale.code, stale.stderr).toBe(2)
  expect(stale.stderr).toContain('the input changed since the plan was made')
  const next = await folder.run('plan', 'spec.yaml', '--explain')
  expect(next.code, next.stderr).toBe(0)
  expect(planIn(next.stdout)).toMatchObject({
    rows: { total: 301, to_run: 1, reuse: 300 },
    basis: { kind: 'history' },
    explain: { reasons: [{ reason: 'new row', rows: 1 }] },
  })
  expect(simulated.requests()).toHaveLength(sent)
})
