import { describe, expect, it } from 'vitest'
import type { Engine } from '../../src/engine.ts'
import { SluiceError } from '../../src/errors.ts'
import { aFinished, aJob, aLive, aStatus, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const REPORT =
  '# PASS  196 of 200 rows (98.0%) for $0.0214\n\ntickets\n\n## Gates\n\n- passed `min_success`: 98%\n\n## Causes\n\nmore\n'

/** Submits a new job, works on it in one go, and reports. */
function happy(more: Partial<Engine> = {}): Partial<Engine> {
  return {
    submit: async (request) => {
      request.onIntake?.({ rows: 200, unreadable: 0, bytesRead: 4096, bytesTotal: 4096 })
      return { job: aJob({ state: 'queued' }), created: true, notes: ['delimiter ";"'] }
    },
    resume: async () => aJob({ state: 'queued' }),
    work: async (_id, options) => {
      options.onStatus?.(aStatus())
      return aFinished()
    },
    report: async () => REPORT,
    ...more,
  }
}

describe('sluice run, piped', () => {
  it('prints the version first, the summary last, in the exact form of the contract', async () => {
    const { run, out } = cli(happy())
    expect(await run('run', 'tickets.yaml')).toBe(0)
    const lines = out().split('\n')
    expect(lines[0]).toBe('{"type":"version","schema":"sluice.events/1"}')
    expect(lines.at(-1)).toBe('')
    expect(lines.at(-2)).toBe(
      `{"type":"summary","job":"${JOB_ID}","state":"completed","reason":null,"rows":{"total":200,"succeeded":196,"failed":4,"skipped":0,"cancelled":0,"cached":3},"attempts":210,"tokens":{"input":41388,"cached":12160,"output":3561},"cost_usd":0.0214,"elapsed_s":41}`,
    )
  })

  it('prints state and progress between them, and nothing else on stdout', async () => {
    const { run, events } = cli(happy())
    await run('run', 'tickets.yaml')
    expect(events().map((event) => event.type)).toEqual([
      'version',
      'intake',
      'note',
      'state',
      'progress',
      'state',
      'progress',
      'summary',
    ])
    expect(events()[4]).toMatchObject({ phase: 'working', rows_done: 122, eta_s: 16, chunks: { total: 8, done: 5 } })
  })

  it('writes a line now and then and the whole report on stderr, without moving a cursor', async () => {
    const { run, err } = cli(happy())
    await run('run', 'tickets.yaml')
    expect(err()).not.toContain('\u001b')
    expect(err()).toBe(
      [
        'reading input   200 rows   100%',
        'delimiter ";"',
        `${JOB_ID} · ticket-triage · openai/gpt-5-mini · live`,
        'running  61%  122/200 rows  ok 119  failed 3  7.4 rows/s  eta 0:16  $0.0214',
        '# PASS  196 of 200 rows (98.0%) for $0.0214',
        '',
        'tickets',
        '',
        '## Gates',
        '',
        '- passed `min_success`: 98%',
        '',
        '## Causes',
        '',
        'more',
        `Results:   sluice results ${JOB_ID} -o results.csv`,
        `Failures:  sluice failed ${JOB_ID}`,
        `Again:     sluice retry ${JOB_ID}`,
        '',
      ].join('\n'),
    )
  })

  it('goes on when the reader of stdout is gone', async () => {
    const program = cli(happy())
    program.stdout.closesAfter = 10
    expect(await program.run('run', 'tickets.yaml')).toBe(0)
    expect(program.out()).toBe(
      '{"type":"version","schema":"sluice.events/1"}\n{"type":"intake","rows":200,"unreadable":0,"bytes_read":4096,"bytes_total":4096}\n',
    )
    expect(program.calls).toContain(`report ${JOB_ID} md`)
  })

  it('hands on spec, overrides and job key', async () => {
    let seen: unknown
    const { run } = cli(
      happy({
        submit: async ({ signal: _signal, onIntake: _onIntake, ...request }) => {
          seen = request
          return { job: aJob({ state: 'queued' }), created: true, notes: [] }
        },
      }),
    )
    const flags = ['--input', 'a.csv', '--model', 'openai/x', '--lane', 'auto', '--limit', '7', '--job-key', 'nightly']
    expect(await run('run', 'tickets.yaml', ...flags, '--var', 'a=1=2', '--var', 'b=')).toBe(0)
    expect(seen).toEqual({
      specPath: 'tickets.yaml',
      overrides: { input: 'a.csv', model: 'openai/x', lane: 'auto', limit: 7, vars: { a: '1=2', b: '' } },
      jobKey: 'nightly',
    })
  })
})

describe('sluice run on a terminal', () => {
  it('shows the panel, then the verdict without Markdown, and nothing on stdout', async () => {
    const { run, out, err } = cli(happy(), { tty: 100 })
    expect(await run('run', 'tickets.yaml')).toBe(0)
    expect(out()).toBe('')
    expect(err()).toContain('Ctrl-C stops cleanly')
    expect(err()).toContain(
      [
        'PASS  196 of 200 rows (98.0%) for $0.0214',
        'tickets',
        '  passed min_success: 98%',
        `${JOB_ID}   time 0:41   3 reused   tokens in 41,388 (12,160 cached)   out 3,561`,
        `Results:   sluice results ${JOB_ID} -o results.csv`,
      ].join('\n'),
    )
    expect(err()).not.toContain('## Causes')
  })

  it('draws no panel where the terminal is dumb or a CI log', async () => {
    for (const env of [{ TERM: 'dumb' }, { CI: 'true' }]) {
      const { run, err } = cli(happy(), { tty: 100, env })
      await run('run', 'tickets.yaml')
      expect(err()).not.toContain('\u001b')
      expect(err()).toContain('61%  122/200 rows')
    }
  })
})

describe('sluice run -o', () => {
  it('writes the results at the end, format by extension', async () => {
    const requests: unknown[] = []
    const { run, err, events } = cli(
      happy({
        results: async (_id, request) => {
          requests.push(request)
          return { rows: 200, ok: 196, failed: 4, pending: 0 }
        },
      }),
    )
    expect(await run('run', 'tickets.yaml', '-o', 'out/labels.parquet')).toBe(0)
    expect(requests).toEqual([{ to: { kind: 'file', path: '/work/out/labels.parquet' }, format: 'parquet' }])
    expect(err()).toContain('Wrote out/labels.parquet: 200 rows: 196 ok, 4 failed')
    expect(events().at(-2)).toMatchObject({ type: 'results', path: '/work/out/labels.parquet', rows: 200 })
    expect(events().at(-1)).toMatchObject({ type: 'summary' })
  })

  it('refuses an unknown extension before anything is submitted', async () => {
    const { run, err, calls } = cli(happy())
    expect(await run('run', 'tickets.yaml', '-o', 'labels.xls')).toBe(2)
    expect(err()).toContain('What format is labels.xls?')
    expect(calls).toEqual([])
  })
})

describe('sluice run with a job key that is taken', () => {
  it('returns the result of a finished job without working', async () => {
    const { run, calls, events } = cli(
      happy({
        submit: async () => ({ job: aJob({ state: 'completed', jobKey: 'k' }), created: false, notes: [] }),
        status: async () => aFinished(),
      }),
    )
    expect(await run('run', 'tickets.yaml', '--job-key', 'k')).toBe(0)
    expect(calls).toEqual(['submit', `status ${JOB_ID}`, `report ${JOB_ID} md`, 'close'])
    expect(events().at(-1)).toMatchObject({ type: 'summary', state: 'completed' })
  })

  it('resumes one that is paused', async () => {
    const { run, calls } = cli(
      happy({ submit: async () => ({ job: aJob({ state: 'paused', reason: 'user' }), created: false, notes: [] }) }),
    )
    expect(await run('run', 'tickets.yaml', '--job-key', 'k')).toBe(0)
    expect(calls).toEqual(['submit', `resume ${JOB_ID}`, `work ${JOB_ID}`, `report ${JOB_ID} md`, 'close'])
  })
})

describe('signals during work', () => {
  const stopping = (program: () => ReturnType<typeof cli>, names: readonly ('SIGINT' | 'SIGTERM' | 'SIGHUP')[]) =>
    happy({
      work: async (_id, options) => {
        options.onStatus?.(aStatus())
        for (const name of names) program().signal(name)
        expect([options.signal.aborted, options.abandon.aborted]).toEqual([true, names.length > 1])
        return aStatus({ job: aJob({ state: 'queued' }), rowsDone: 138, live: null })
      },
    })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('%s: stops, says how to go on, exit %i', async (name, exitCode) => {
    const program: ReturnType<typeof cli> = cli(stopping(() => program, [name]))
    expect(await program.run('run', 'tickets.yaml', '--data-dir', '/tmp/x')).toBe(exitCode)
    expect(program.err()).toContain('stopping: rows in flight finish (10 s at most); a second signal abandons them')
    expect(program.err()).toContain(
      `Checkpointed at 138/200 rows. Nothing finished will be paid for again.\nContinue:  sluice resume ${JOB_ID} --data-dir /tmp/x\n`,
    )
    expect(program.events().at(-1)).toMatchObject({ type: 'summary', state: 'queued' })
    expect(program.listening()).toBe(0)
    expect(program.exits).toEqual([])
  })

  it('a second signal abandons what is in flight; a third ends the process', async () => {
    const program: ReturnType<typeof cli> = cli(stopping(() => program, ['SIGINT', 'SIGINT', 'SIGINT']))
    expect(await program.run('run', 'tickets.yaml')).toBe(130)
    expect(program.err()).toContain('stopping at once')
    expect(program.exits).toEqual([130])
  })

  it('one press that arrives twice, as under npx, counts once', async () => {
    const program: ReturnType<typeof cli> = cli(
      happy({
        work: async (_id, options) => {
          program.signal('SIGINT')
          program.runtime.advance(5)
          program.repeat('SIGINT')
          expect(options.abandon.aborted).toBe(false)
          return aStatus({ live: null })
        },
      }),
    )
    expect(await program.run('run', 'tickets.yaml')).toBe(130)
  })

  it('a job that came to its end anyway has its own exit code', async () => {
    const program: ReturnType<typeof cli> = cli(
      happy({
        work: async () => {
          program.signal('SIGINT')
          return aFinished()
        },
      }),
    )
    expect(await program.run('run', 'tickets.yaml')).toBe(0)
  })

  it('while the input is read: says how to go on', async () => {
    const program: ReturnType<typeof cli> = cli(
      happy({
        submit: async ({ signal }) => {
          program.signal('SIGINT')
          signal?.throwIfAborted()
          throw new Error('not aborted')
        },
        latest: async () => aJob({ state: 'created' }),
        status: async () => aStatus({ job: aJob({ state: 'created' }) }),
      }),
    )
    expect(await program.run('run', 'tickets.yaml')).toBe(130)
    expect(program.err()).toContain(
      `Stopped while reading the input; what was read is kept. Continue:  sluice resume ${JOB_ID}\n`,
    )
    expect(program.err()).not.toContain('error:')
    expect(program.events().at(-1)).toMatchObject({ type: 'summary', state: 'created' })
  })
})

describe('a signal while the rest of the input is read', () => {
  it('by resume: says how to go on', async () => {
    const program: ReturnType<typeof cli> = cli({
      status: async () => aStatus({ job: aJob({ state: 'created', rowsTotal: 90 }), rowsDone: 0, live: null }),
      resume: async () => aJob({ state: 'created' }),
      work: async (_id, { signal }) => {
        program.signal('SIGINT')
        signal.throwIfAborted()
        throw new Error('not aborted')
      },
    })
    expect(await program.run('resume', JOB_ID)).toBe(130)
    expect(program.err()).toContain(`Continue:  sluice resume ${JOB_ID}\n`)
    expect(program.events().at(-1)).toMatchObject({ type: 'summary', state: 'created' })
  })
})

describe('a job that stands still', () => {
  it('says why, what to do, and how to go on', async () => {
    const paused = aStatus({
      job: aJob({ state: 'paused', reason: 'credentials', detail: 'openai refused the key (401)' }),
      live: null,
      exitCode: 4,
    })
    const { run, err } = cli(happy({ work: async () => paused }))
    expect(await run('run', 'tickets.yaml')).toBe(4)
    expect(err()).toContain(
      [
        'paused: credentials at 122/200 rows. Nothing finished will be paid for again.',
        'openai refused the key (401)',
        'Set the variable named by model.api_key_env to a valid key, then go on.',
        `Continue:  sluice resume ${JOB_ID}`,
      ].join('\n'),
    )
  })

  it('shows a wait for the provider in the line', async () => {
    const waiting = aStatus({ live: aLive({ phase: 'waiting', note: 'asked to wait 12 s' }) })
    const { run, err } = cli(
      happy({
        work: async (_id, options) => {
          options.onStatus?.(waiting)
          return aFinished()
        },
      }),
    )
    await run('run', 'tickets.yaml')
    expect(err()).toContain('waiting for the provider: asked to wait 12 s  61%  122/200 rows')
  })
})

describe('errors', () => {
  const spec = new SluiceError('spec_invalid', 'tickets.yaml has 1 error', {
    findings: [
      {
        severity: 'error',
        place: { file: 'tickets.yaml', line: 17, column: 9 },
        message: 'unknown column "reveiw"',
        hint: 'did you mean "review"?',
      },
    ],
  })

  it('of the spec: each finding with its place, exit 2, and an error line for programs', async () => {
    const { run, err, events, calls } = cli(happy({ submit: () => Promise.reject(spec) }))
    expect(await run('run', 'tickets.yaml', '--json')).toBe(2)
    expect(err()).toBe(
      [
        'error: tickets.yaml has 1 error',
        'error tickets.yaml:17:9  unknown column "reveiw"',
        '  did you mean "review"?',
        '  Run `sluice check <spec>` for all of them.',
        '',
      ].join('\n'),
    )
    expect(events().at(-1)).toMatchObject({ type: 'error', code: 'spec_invalid', exit_code: 2 })
    expect(calls.at(-1)).toBe('close')
  })

  it('says nothing twice', async () => {
    const place = { file: 'tickets.yaml', line: 2, column: 1 }
    const hint = 'did you mean "name"?'
    const findings = [{ severity: 'error', place, message: 'unknown key "nmae"', hint }] as const
    const error = new SluiceError('spec_invalid', 'unknown key "nmae"', { place, hint, findings })
    const { run, err } = cli(happy({ submit: () => Promise.reject(error) }))
    await run('run', 'tickets.yaml')
    expect(err()).toBe('error: unknown key "nmae"\n  at tickets.yaml:2:1\n  did you mean "name"?\n')
  })

  it('with a place of its own', async () => {
    const error = new SluiceError('input_missing', 'No file x.csv', {
      place: { file: 'tickets.yaml', line: 3, column: null },
    })
    const { run, err } = cli(happy({ submit: () => Promise.reject(error) }))
    expect(await run('run', 'tickets.yaml')).toBe(2)
    expect(err()).toBe('error: No file x.csv\n  at tickets.yaml:3\n  Check input.source; it is relative to the spec.\n')
  })

  it('unknown to the catalogue: one line, the stack only at debug', async () => {
    const verbs = happy({ submit: () => Promise.reject(new TypeError('oh')) })
    const quiet = cli(verbs)
    expect(await quiet.run('run', 'tickets.yaml')).toBe(1)
    expect(quiet.err()).toBe('error: oh\n  SLUICE_LOG_LEVEL=debug shows where it came from.\n')
    const loud = cli(verbs, { env: { SLUICE_LOG_LEVEL: 'debug' } })
    await loud.run('run', 'tickets.yaml')
    expect(loud.err()).toContain('TypeError: oh\n    at ')
  })

  it('in the middle of the work are told even when a signal came first', async () => {
    const program: ReturnType<typeof cli> = cli(
      happy({
        work: async () => {
          program.signal('SIGINT')
          throw new SluiceError('storage', 'disk full')
        },
      }),
    )
    expect(await program.run('run', 'tickets.yaml')).toBe(1)
    expect(program.err()).toContain('error: disk full')
  })
})
