import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Engine, Planned, PlanRequest } from '../../src/engine.ts'
import { A_ROUTE, aPlan } from '../delivery/a-plan.ts'
import { aJob, aStatus } from './fake-engine.ts'
import { cli } from './harness.ts'

/** An engine that makes this of every plan, and notes what it was asked for. */
function planning(planned: Partial<Planned> = {}, seen: PlanRequest[] = []): Partial<Engine> {
  return {
    plan: async (request) => {
      seen.push(request)
      return { findings: [], plan: aPlan(), pilot: null, ...planned }
    },
  }
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-plan-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

describe('sluice plan', () => {
  it('shows rows, tokens, cost and time as ranges, with what they rest on', async () => {
    const { run, out } = cli(planning(), { tty: 120 })
    expect(await run('plan', 'x.yaml', '--explain')).toBe(0)
    expect(out().split('\n')).toEqual([
      'Plan of ticket-triage, openai/gpt-5-mini',
      'made of   spec 7c1f00aa7c1f   input 9ab2cdef9ab2   prices genai-prices 0.1.8, 2026-11-22',
      'rows      10,003   to run 9,950   reuse 40   repeated in the input 10   skipped 2   unreadable 1',
      'tokens    in 2,040,100 to 2,131,900   out 172,000 to 190,100',
      'cost      $0.8540 to $0.9130   worst case $5.10',
      'time      4 min 12 s to 5 min 41 s, bound by concurrency 64   (how long single rows took)',
      'basis     a pilot of 50 rows (job_01934f5e-7c1f-7000-8000-00000000000b), 98% prediction interval',
      'budget    budget.usd $20.00: fits',
      'budget    budget.tokens 2,300,000: may not fit',
      'paid for  compared with job_01934f5e-7c1f-7000-8000-00000000000a',
      '          9,938 rows: prompt changed (prompt.user, line 2)',
      '          12 rows: failed before',
      '          also: parameters changed (model.params.temperature)',
      "note      As a batch it would cost about half, $0.4270 to $0.4565, by the provider's price list; this asks live.",
      '',
    ])
  })

  it('of the lane auto shows a line for each way, and which it takes and why', async () => {
    const plan = aPlan({ route: A_ROUTE, explanation: null, notes: [], budget: [] })
    const { run, out } = cli(planning({ plan }), { tty: 120 })
    expect(await run('plan', 'x.yaml')).toBe(0)
    expect(out().split('\n').slice(7)).toEqual([
      'lanes     batch   $0.4270 to $0.4565   20 min 0 s to 3 h 0 min    the last 12 batches of this account   98.0% in time',
      '          live    $0.8540 to $0.9130   4 min 12 s to 5 min 41 s   concurrency 64                        100% in time',
      'chosen    auto -> batch (49 % cheaper than live: 98 % of the rows are expected in time, the rest goes live)',
      'deadline  12 h 0 min from the start',
      '',
    ])
  })

  it('prints one line where it is piped', async () => {
    const { run, events } = cli(planning())
    expect(await run('plan', 'x.yaml')).toBe(0)
    expect(events().map(({ type }) => type)).toEqual(['version', 'plan'])
    expect(events()[1]).toMatchObject({ cost_usd: { low: 0.854, high: 0.913 }, rows: { to_run: 9_950 } })
  })

  it('asks for what the flags say', async () => {
    const seen: PlanRequest[] = []
    const { run } = cli(planning({}, seen))
    await run('plan', 'x.yaml', '--limit', '7', '--var', 'a=b')
    await run('plan', 'x.yaml', '--sample', '50', '--explain')
    expect(seen[0]).toMatchObject({ specPath: 'x.yaml', overrides: { limit: 7, vars: { a: 'b' } } })
    expect([seen[0]?.pilot, seen[0]?.explain]).toEqual([undefined, undefined])
    expect(seen[1]).toMatchObject({ pilot: { rows: 50 }, explain: true })
  })

  it('as Markdown is a comment and nothing else, and says what differs', async () => {
    const seen: PlanRequest[] = []
    const { run, out } = cli(planning({}, seen))
    expect(await run('plan', 'x.yaml', '--markdown')).toBe(0)
    expect(out()).toMatch(/^### Plan of ticket-triage: \$0\.8540 to \$0\.9130\n\n\|/)
    expect(seen[0]?.explain).toBe(true)
  })

  it('of a spec with errors says them as check does: exit 2, and no file', async () => {
    const dir = await folder()
    const finding = {
      severity: 'error',
      place: null,
      message: 'unknown column "texd"',
      hint: 'did you mean "text"?',
    } as const
    const { run, err, events } = cli(planning({ plan: null, findings: [finding] }), { cwd: dir })
    expect(await run('plan', 'x.yaml', '-o', 'plan.json')).toBe(2)
    expect(err()).toContain('error unknown column "texd"\n  did you mean "text"?')
    expect(events().at(-1)).toEqual({ type: 'check', ok: false, errors: 1, warnings: 0 })
    await expect(readFile(join(dir, 'plan.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('whose pilot stands still says how to go on, with the exit code of why', async () => {
    const pilot = aStatus({
      job: aJob({ state: 'paused', reason: 'credentials', detail: 'the key was refused' }),
      exitCode: 4,
    })
    const { run, err, events } = cli(planning({ plan: null, pilot }))
    expect(await run('plan', 'x.yaml', '--sample', '50')).toBe(4)
    expect(err()).toContain('There is no plan: its pilot did not come to its end.')
    expect(err()).toContain('Continue:  sluice resume')
    expect(events().at(-1)).toMatchObject({ type: 'summary', state: 'paused' })
  })

  it('keeps the plan in a file, with the spec by its place beside it', async () => {
    const dir = await folder()
    const { run, err } = cli(planning(), { cwd: dir })
    expect(await run('plan', 'specs/x.yaml', '--limit', '7', '-o', 'plan.json')).toBe(0)
    expect(err()).toContain('Run it:  sluice run --plan plan.json')
    expect(JSON.parse(await readFile(join(dir, 'plan.json'), 'utf8'))).toMatchObject({
      plan: aPlan().id,
      command: { spec: 'specs/x.yaml', overrides: { limit: 7 } },
    })
  })

  it('that cannot be kept is exit 1', async () => {
    const { run, err } = cli(planning(), { cwd: await folder() })
    expect(await run('plan', 'x.yaml', '-o', 'no/such/plan.json')).toBe(1)
    expect(err()).toContain('plan.json cannot be written')
  })
})

describe('sluice run --plan', () => {
  it.each([
    ['is not there', null, 'cannot be read'],
    ['is no plan', '{}', 'is no plan of this sluice'],
  ])('a file that %s is exit 2, and nothing is opened', async (_what, text, message) => {
    const dir = await folder()
    if (text !== null) await writeFile(join(dir, 'plan.json'), text)
    const { run, err, calls } = cli({}, { cwd: dir })
    expect(await run('run', '--plan', 'plan.json')).toBe(2)
    expect(err()).toContain(message)
    expect(calls).toEqual([])
  })
})
