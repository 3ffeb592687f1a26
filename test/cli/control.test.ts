import { describe, expect, it } from 'vitest'
import { AS_SPECIFIED } from '../../src/domain/job.ts'
import type { Engine } from '../../src/engine.ts'
import { SluiceError } from '../../src/errors.ts'
import { aFinished, aJob, aStatus, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const OTHER = 'job_01934f5e-7c1f-7000-8000-ffffffffffff'

describe('sluice resume', () => {
  const verbs: Partial<Engine> = {
    latest: async () => aJob({ state: 'paused' }),
    status: async () => aStatus({ job: aJob({ state: 'paused', reason: 'user' }), rowsDone: 138, live: null }),
    resume: async () => aJob({ state: 'queued' }),
    work: async () => aFinished(),
    report: async () => '# done\n',
  }

  it('takes the newest unfinished job, and starts at what is done', async () => {
    const { run, err, calls, events } = cli(verbs)
    expect(await run('resume')).toBe(0)
    expect(err()).toContain(`Resuming ${JOB_ID} at 138/200 rows (starts at 69%, not 0)\n`)
    expect(calls).toEqual([
      'latest',
      `status ${JOB_ID}`,
      `resume ${JOB_ID}`,
      `work ${JOB_ID}`,
      `report ${JOB_ID} md`,
      'close',
    ])
    expect(events().at(-1)).toMatchObject({ type: 'summary', state: 'completed' })
  })

  it('with nothing unfinished says so, exit 0', async () => {
    const { run, err, events } = cli({ latest: async () => null })
    expect(await run('resume')).toBe(0)
    expect(err()).toBe('Nothing to resume: no job is unfinished.\n')
    expect(events()).toEqual([
      { type: 'version', schema: 'sluice.events/1' },
      { type: 'note', message: 'Nothing to resume: no job is unfinished.' },
    ])
  })

  it('of a job that is over does nothing, and names retry where rows failed', async () => {
    const { run, err, calls } = cli({ status: async () => aFinished({ exitCode: 3 }) })
    expect(await run('resume', JOB_ID)).toBe(0)
    expect(err()).toBe(`${JOB_ID} is completed: nothing to resume.\nIts failed rows:  sluice retry ${JOB_ID}\n`)
    expect(calls).toEqual([`status ${JOB_ID}`, 'close'])
  })

  it('of an unknown job: exit 2', async () => {
    const { run, err } = cli({ status: () => Promise.reject(new SluiceError('job_not_found', 'No job job_x.')) })
    expect(await run('resume', 'job_x')).toBe(2)
    expect(err()).toBe('error: No job job_x.\n  See `sluice jobs`.\n')
  })
})

describe.each(['pause', 'cancel'] as const)('sluice %s', (verb) => {
  const wish = (job: Partial<ReturnType<typeof aJob>>): Partial<Engine> => ({
    [verb]: async () => aJob(job),
    jobs: async () => [aStatus()],
    status: async () => aStatus({ job: aJob(job) }),
  })

  it('asks whoever works on the job; exit 0', async () => {
    const { run, err, calls } = cli(wish({ wanted: verb }))
    expect(await run(verb, JOB_ID)).toBe(0)
    expect(err()).toBe(`${JOB_ID} was asked to ${verb}: rows in flight finish first.\n`)
    expect(calls).toEqual([`${verb} ${JOB_ID}`, `status ${JOB_ID}`, 'close'])
  })

  it('says when it is so already', async () => {
    const state = verb === 'pause' ? 'paused' : 'cancelled'
    const { run, err } = cli(wish({ state, reason: verb === 'pause' ? 'user' : null }))
    expect(await run(verb, JOB_ID)).toBe(0)
    expect(err()).toBe(`${JOB_ID}: ${verb === 'pause' ? 'paused: user' : 'cancelled'}\n`)
  })

  it('without a job takes the only unfinished one', async () => {
    const { run, calls } = cli(wish({ wanted: verb }))
    expect(await run(verb)).toBe(0)
    expect(calls).toContain(`${verb} ${JOB_ID}`)
  })

  it('never guesses between several; exit 2', async () => {
    const { run, err, calls } = cli({ jobs: async () => [aStatus(), aStatus({ job: aJob({ id: OTHER }) })] })
    expect(await run(verb)).toBe(2)
    expect(err()).toContain('error: More than one job is unfinished: name the one you mean.')
    expect(calls).toEqual(['jobs', 'close'])
  })

  it('with nothing unfinished says so; exit 0', async () => {
    const { run, err } = cli({ jobs: async () => [] })
    expect(await run(verb)).toBe(0)
    expect(err()).toBe(`Nothing to ${verb}: no job is unfinished.\n`)
  })
})

describe('sluice wait', () => {
  it('exit 6 when the time passed first', async () => {
    let options: unknown
    const { run, err, events } = cli({
      wait: async (_id, asked) => {
        options = asked.timeoutMs
        return null
      },
      status: async () => aStatus(),
    })
    expect(await run('wait', JOB_ID, '--timeout', '1.5m')).toBe(6)
    expect(options).toBe(90_000)
    expect(err()).toBe(`${JOB_ID}  running   119 ok   3 failed   3 reused   0:41   $0.0214\n`)
    expect(events().at(-1)).toMatchObject({ type: 'summary', state: 'running' })
  })

  it('exit 130 when it is interrupted', async () => {
    const program: ReturnType<typeof cli> = cli({
      wait: async () => {
        program.signal('SIGINT')
        return null
      },
      status: async () => aStatus(),
    })
    expect(await program.run('wait', JOB_ID)).toBe(130)
  })
})

describe('sluice watch', () => {
  const watching: Partial<Engine> = {
    latest: async () => aJob(),
    async *watch() {
      yield aStatus({ live: null })
      yield aFinished()
    },
  }

  it('shows a job until it stands still, and ends with its exit code', async () => {
    const { run, err, events } = cli(watching)
    expect(await run('watch')).toBe(0)
    expect(err()).toBe(
      [
        `${JOB_ID}  ticket-triage`,
        `${JOB_ID} · ticket-triage · openai/gpt-5-mini · live`,
        'running  61%  122/200 rows  ok 119  failed 3  $0.0214',
        'completed  100%  200/200 rows  ok 196  failed 4  $0.0214',
        `${JOB_ID}  completed   196 ok   4 failed   3 reused   0:41   $0.0214`,
        '',
      ].join('\n'),
    )
    expect(events().at(-1)).toMatchObject({ type: 'summary' })
  })

  it('on a terminal says that Ctrl-C only stops watching', async () => {
    const { run, err } = cli(watching, { tty: 100 })
    await run('watch')
    expect(err()).toContain('Ctrl-C stops watching; the job goes on.')
  })
})

describe('sluice set', () => {
  it('changes the settings of a job', async () => {
    let asked: unknown
    const { run, err, events } = cli({
      set: async (_id, settings) => {
        asked = settings
        return aJob({ settings: { ...AS_SPECIFIED, concurrency: 32, priority: 'high', budgetNano: 2_500_000_000 } })
      },
      status: async () => aStatus(),
    })
    expect(await run('set', JOB_ID, '--concurrency', '32', '--priority', 'high', '--budget-usd', '2.5')).toBe(0)
    expect(asked).toEqual({ concurrency: 32, priority: 'high', budgetNano: 2_500_000_000 })
    expect(err()).toBe(`${JOB_ID}: concurrency 32, priority high, budget $2.50\n`)
    expect(events()[1]).toEqual({
      type: 'settings',
      job: JOB_ID,
      concurrency: 32,
      priority: 'high',
      budget_usd: 2.5,
      budget_tokens: null,
    })
  })
})

describe('sluice retry', () => {
  const verbs: Partial<Engine> = {
    retry: async () => ({ job: aJob({ state: 'queued', round: 1 }), rows: 4 }),
    resume: async () => aJob({ state: 'queued', round: 1 }),
    work: async () => aFinished(),
    report: async () => '# done\n',
    status: async () => aFinished(),
  }

  it('says how many rows, and works on them here', async () => {
    let asked: unknown
    const { run, err, calls } = cli({
      ...verbs,
      retry: async (_id, request) => {
        asked = request
        return { job: aJob({ state: 'queued', round: 1 }), rows: 4 }
      },
    })
    const flags = ['--cause', 'refused', '--cause', 'truncated', '--chunk', '0', '--row', 'r_1', '--model', 'openai/x']
    expect(await run('retry', JOB_ID, ...flags, '--spec', 'current')).toBe(0)
    expect(asked).toEqual({
      spec: 'current',
      causes: ['refused', 'truncated'],
      chunks: [0],
      rows: ['r_1'],
      model: 'openai/x',
    })
    expect(err()).toContain(`Retrying 4 rows of ${JOB_ID} (round 1).\n`)
    expect(calls).toContain(`work ${JOB_ID}`)
  })

  it('with nothing that matches does nothing; exit 0', async () => {
    const { run, err, calls } = cli({ ...verbs, retry: async () => ({ job: aJob(), rows: 0 }) })
    expect(await run('retry', JOB_ID)).toBe(0)
    expect(err()).toBe('Nothing to retry: no failed row matches.\n')
    expect(calls).not.toContain(`work ${JOB_ID}`)
  })
})
