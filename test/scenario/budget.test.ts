import { describe, expect, it } from 'vitest'
import { runBudgetTrial, TRIAL_BUDGET } from './budget-trial.ts'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'

const HEAVY_TAIL = ['--extra-output', '20', '--extra-output-p99', '100', '--latency', '10ms'] as const

describe('a budget', () => {
  it.each([0, 2])('is not passed by the bill, killed %i times on the way, and is used up', async (kills) => {
    const folder = await jobFolder()
    const figures = await runBudgetTrial({ dir: folder.dir, env: folder.env, seed: 7, kills, concurrency: 256 })
    expect(figures).toMatchObject({ exit: 5, reason: 'budget' })
    expect(figures.bill).toBeLessThanOrEqual(TRIAL_BUDGET)
    expect(figures.ledger).toBeLessThanOrEqual(TRIAL_BUDGET)
    expect(figures.ledger).toBeGreaterThanOrEqual(figures.bill)
    expect(figures.ledger).toBeGreaterThan(0.97 * TRIAL_BUDGET)
    if (kills === 0) expect(figures.bill).toBeCloseTo(figures.ledger, 9)
  })

  it('pauses the job with exit 5; a raise and `resume` go on where it was, and nothing is paid for twice', async () => {
    const folder = await jobFolder()
    const simulated = await provider(folder, ...HEAVY_TAIL)
    await folder.write('tickets.csv', tickets(80))
    await folder.write('spec.yaml', ticketSpec(simulated.url, 'budget: { usd: 0.004 }\n'))
    const first = await folder.run('run', 'spec.yaml')
    expect(first.code, first.stderr).toBe(5)
    expect(first.stderr).toMatch(/\$0\.00\d+ of \$0\.00400 are spent, and the next request may take up to \$0\.000/)
    const paused = summaryOf(first.stdout)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(paused.cost_usd).toBeLessThanOrEqual(0.004)
    const job = String(paused.job)
    const set = await folder.run('set', job, '--budget-usd', '1')
    expect(set.code, set.stderr).toBe(0)
    const status = await folder.run('status', job)
    expect(JSON.parse(status.stdout.split('\n')[1] ?? '').budget).toMatchObject({ usd: 1, reserved: { usd: 0 } })
    const second = await folder.run('resume', job)
    expect(second.code, second.stderr).toBe(0)
    expect(summaryOf(second.stdout)).toMatchObject({ state: 'completed', rows: { total: 80, succeeded: 80 } })
    expect(simulated.requests()).toHaveLength(80)
    expect(await folder.count('budget_grants')).toBe(0)
  })

  it('with `on_exceed: stop` ends it as failed, exit 5, with what it has got', async () => {
    const folder = await jobFolder()
    const simulated = await provider(folder, ...HEAVY_TAIL)
    await folder.write('tickets.csv', tickets(80))
    await folder.write('spec.yaml', ticketSpec(simulated.url, 'budget: { tokens: 4000, on_exceed: stop }\n'))
    const run = await folder.run('run', 'spec.yaml')
    expect(run.code, run.stderr).toBe(5)
    const summary = summaryOf(run.stdout)
    expect(summary).toMatchObject({ state: 'failed', reason: 'budget' })
    const { input, output } = summary.tokens as { input: number; output: number }
    expect(input + output).toBeLessThanOrEqual(4000)
    expect(summary.rows.succeeded).toBeGreaterThan(10)
  })

  it('in dollars is refused before anything is spent where a price or max_output_tokens is missing, with its place', async () => {
    const folder = await jobFolder()
    await folder.write('tickets.csv', tickets(3))
    const spec = ticketSpec('http://127.0.0.1:1', 'budget: { usd: 1 }\n')
    const bare = spec.replace(/^ {2}params:.*\n {2}price:.*\n/m, '')
    await folder.write('spec.yaml', bare)
    const check = await folder.run('check', 'spec.yaml')
    expect(check.code).toBe(2)
    const findings = check.stdout.split('\n').filter((line) => line.includes('"severity":"error"'))
    expect(findings.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        place: { line: 5 },
        message: expect.stringMatching(/^the price of openai-compatible\/simulated is not known, so a budget/),
      },
      { place: { line: 9 }, message: expect.stringMatching(/^a budget in dollars needs max_output_tokens/) },
    ])
    expect((await folder.run('run', 'spec.yaml')).code).toBe(2)
    expect(await folder.count('jobs')).toBe(0)
  })
})
