import { describe, expect, it } from 'vitest'
import { CAUSE_RULES } from '../../src/domain/failure.ts'
import type { Engine, FailedGroup } from '../../src/engine.ts'
import { SluiceError } from '../../src/errors.ts'
import { aFinished, aFleet, aJob, anOutcome, aStatus, CREATED_MS, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

describe('sluice check', () => {
  const findings = [
    { severity: 'ok', place: null, message: 'input  data/reviews.csv  200 rows', hint: null },
    {
      severity: 'error',
      place: { file: 'spec.yaml', line: 17, column: 9 },
      message: 'unknown column "reveiw"',
      hint: 'did you mean "review"?',
    },
    {
      severity: 'warning',
      place: { file: 'spec.yaml', line: 21, column: null },
      message: 'output has 14 fields',
      hint: null,
    },
  ] as const

  it('prints every finding with place and hint; exit 2', async () => {
    const { run, out, calls } = cli({ check: async () => ({ findings, ok: false }) }, { tty: 80 })
    expect(await run('check', 'spec.yaml')).toBe(2)
    expect(out()).toBe(
      [
        'ok input  data/reviews.csv  200 rows',
        'error spec.yaml:17:9  unknown column "reveiw"',
        '  did you mean "review"?',
        'warning spec.yaml:21  output has 14 fields',
        '1 error, 1 warning.',
        '',
      ].join('\n'),
    )
    expect(calls).toEqual(['check spec.yaml', 'close'])
  })

  it('with --json prints lines for programs', async () => {
    const { run, events } = cli({ check: async () => ({ findings, ok: false }) })
    expect(await run('check', 'spec.yaml', '--json')).toBe(2)
    expect(events()[2]).toEqual({
      type: 'finding',
      severity: 'error',
      place: { file: 'spec.yaml', line: 17, column: 9 },
      message: 'unknown column "reveiw"',
      hint: 'did you mean "review"?',
    })
    expect(events().at(-1)).toEqual({ type: 'check', ok: false, errors: 1, warnings: 1 })
  })

  it('of a spec without errors: exit 0', async () => {
    const { run, out } = cli({ check: async () => ({ findings: [], ok: true }) }, { tty: 80 })
    expect(await run('check', 'spec.yaml')).toBe(0)
    expect(out()).toBe('No errors.\n')
  })
})

describe('a command that only looks', () => {
  it('ends at the first Ctrl-C', async () => {
    const program: ReturnType<typeof cli> = cli({
      check: async () => {
        program.signal('SIGINT')
        return { findings: [], ok: true }
      },
    })
    await program.run('check', 'spec.yaml')
    expect(program.exits).toEqual([130])
  })
})

describe('sluice jobs', () => {
  const jobs: Engine['jobs'] = async () => [
    aStatus({ job: aJob({ createdAtMs: CREATED_MS - 3_600_000 }) }),
    aFinished({ job: aJob({ state: 'completed', rowsTotal: 10_003 }), rowsDone: 10_003 }),
  ]

  it('is a table on a terminal', async () => {
    const { run, out } = cli({ jobs }, { tty: 120 })
    expect(await run('jobs')).toBe(0)
    expect(out()).toBe(
      [
        'JOB                                       SPEC           STATE      DONE    ROWS  FAILED     COST   AGE',
        `${JOB_ID}  ticket-triage  running     61%     200       3  $0.0214   1 h`,
        `${JOB_ID}  ticket-triage  completed  100%  10,003       4  $0.0214  41 s`,
        '',
      ].join('\n'),
    )
  })

  it('is a line each where it is piped', async () => {
    const { run, events } = cli({ jobs })
    expect(await run('jobs')).toBe(0)
    expect(events().map((event) => event.type)).toEqual(['version', 'job', 'job'])
    expect(events()[1]).toMatchObject({ job: JOB_ID, state: 'running', rows: { total: 200 }, rows_done: 122 })
  })

  it('hides trials unless asked', async () => {
    const asked: unknown[] = []
    const noted: Partial<Engine> = {
      jobs: async (options) => {
        asked.push(options)
        return []
      },
    }
    const { run, err } = cli(noted)
    expect(await run('jobs')).toBe(0)
    expect(await run('jobs', '--all', '--limit', '5', '--state', 'paused', '--state', 'queued')).toBe(0)
    expect(asked).toEqual([
      { limit: 20, includeTries: false },
      { limit: 5, includeTries: true, states: ['paused', 'queued'] },
    ])
    expect(err()).toContain('No jobs in /work/.sluice.')
  })
})

describe('sluice status', () => {
  it('shows one job, a fact a line', async () => {
    const paused = aStatus({ job: aJob({ state: 'paused', reason: 'quota', detail: 'no credit' }), live: null })
    const { run, out } = cli({ status: async () => paused }, { tty: 100 })
    expect(await run('status', JOB_ID)).toBe(0)
    expect(out()).toBe(
      [
        `${JOB_ID} · ticket-triage · openai/gpt-5-mini`,
        'state    paused: quota',
        '         no credit',
        'done     [#################-----------] 61%   122/200 rows',
        'rows     ok 119 (3 reused)   failed 3   pending 78',
        'tokens   in 41,388 (12,160 cached)   out 3,561   cost $0.0214',
        'saved    5 of 8 chunks',
        'errors   2 schema_invalid   1 content_filtered',
        'time     0:41 of work, created 41 s ago',
        `next     sluice resume ${JOB_ID}`,
        '',
      ].join('\n'),
    )
  })

  it('without a job there is none: exit 2', async () => {
    const { run, err } = cli({ latest: async () => null, fleet: async () => aFleet({ workers: [], chunks: [] }) })
    expect(await run('status')).toBe(2)
    expect(err()).toBe('error: There is no job yet.\n  Start one: `sluice run <spec>`.\n')
  })

  it('ends in the summary where it is piped', async () => {
    const { run, events } = cli({
      latest: async () => aJob(),
      status: async () => aStatus(),
      fleet: async () => aFleet(),
    })
    expect(await run('status')).toBe(0)
    expect(events().map((event) => event.type)).toEqual(['version', 'job', 'summary'])
  })
})

describe('sluice results', () => {
  const csv = 'id,topic,_status\n1,billing,ok\n'
  const printing = (seen: unknown[] = []): Partial<Engine> => ({
    latest: async () => aJob(),
    results: async (_id, { signal: _signal, ...request }) => {
      seen.push(request)
      if (request.to.kind === 'stream') for (const line of csv.split(/(?<=\n)/)) await request.to.write(line)
      return { rows: 1, ok: 1, failed: 0, pending: 0 }
    },
  })

  it('prints CSV and nothing but data', async () => {
    const seen: unknown[] = []
    const { run, out, err } = cli(printing(seen))
    expect(await run('results', JOB_ID, '--only', 'ok', '--safe-csv')).toBe(0)
    expect(out()).toBe(csv)
    expect(err()).toBe('')
    expect(seen).toMatchObject([{ format: 'csv', only: 'ok', safeCsv: true }])
  })

  it('prints JSON lines with --json or --format', async () => {
    const seen: unknown[] = []
    const { run } = cli(printing(seen))
    await run('results', JOB_ID, '--json')
    await run('results', '--format', 'jsonl')
    expect(seen).toMatchObject([{ format: 'jsonl' }, { format: 'jsonl' }])
  })

  it('ends quietly when the reader has enough', async () => {
    const program = cli(printing())
    program.stdout.closesAfter = 5
    expect(await program.run('results', JOB_ID)).toBe(0)
    expect(program.out()).toBe('id,topic,_status\n')
    expect(program.err()).toBe('')
    expect(program.calls.at(-1)).toBe('close')
  })

  it('writes a file, format by its extension', async () => {
    const seen: unknown[] = []
    const { run, err } = cli(printing(seen), { tty: 80 })
    expect(await run('results', JOB_ID, '-o', 'out/r.ndjson')).toBe(0)
    expect(await run('results', JOB_ID, '-o', 'r.txt', '--format', 'csv')).toBe(0)
    expect(seen).toEqual([
      { to: { kind: 'file', path: '/work/out/r.ndjson' }, format: 'jsonl' },
      { to: { kind: 'file', path: '/work/r.txt' }, format: 'csv' },
    ])
    expect(err()).toBe('Wrote out/r.ndjson: 1 row: 1 ok, 0 failed\nWrote r.txt: 1 row: 1 ok, 0 failed\n')
  })

  it('says how many rows are still to come', async () => {
    const { run, err } = cli({ results: async () => ({ rows: 200, ok: 119, failed: 3, pending: 78 }) })
    expect(await run('results', JOB_ID)).toBe(0)
    expect(err()).toBe('78 rows are still pending.\n')
  })

  it('follows: lines as chunks finish', async () => {
    const { run, out } = cli({
      async *follow() {
        yield { text: '{"a":1}\n{"a":2}\n', rows: 2, cursor: '1' }
        yield { text: '{"a":3}\n', rows: 1, cursor: '2' }
      },
    })
    expect(await run('results', JOB_ID, '--follow')).toBe(0)
    expect(out()).toBe('{"a":1}\n{"a":2}\n{"a":3}\n')
  })

  it('an error stays off stdout', async () => {
    const { run, out, err } = cli({ results: () => Promise.reject(new SluiceError('job_not_found', 'No job j.')) })
    expect(await run('results', 'j')).toBe(2)
    expect(out()).toBe('')
    expect(err()).toContain('error: No job j.')
  })
})

describe('sluice failed', () => {
  const group: FailedGroup = {
    cause: 'schema_invalid',
    rows: 1203,
    meaning: CAUSE_RULES.schema_invalid.meaning,
    advice: CAUSE_RULES.schema_invalid.advice,
    retryable: true,
    examples: [anOutcome()],
  }
  const verbs: Partial<Engine> = { failed: async () => [group], status: async () => aFinished() }

  it('groups by cause, with an example and what to do', async () => {
    const { run, out } = cli(verbs, { tty: 80 })
    expect(await run('failed', JOB_ID)).toBe(0)
    expect(out()).toBe(
      [
        'CAUSE            ROWS  RETRY?  EXAMPLE',
        'schema_invalid  1,203  yes     r_0044: topic: "delivery time" is not one of bil…',
        '',
        'schema_invalid: the answer does not fit the output schema',
        '  Widen the schema, or `sluice retry --cause schema_invalid --model …`.',
        '',
        `All of them:  sluice results ${JOB_ID} --only failed`,
        `Again:        sluice retry ${JOB_ID}`,
        '',
      ].join('\n'),
    )
  })

  it('with --cause shows more of each example', async () => {
    const { run, out, calls } = cli(verbs, { tty: 80 })
    expect(await run('failed', JOB_ID, '--cause', 'schema_invalid')).toBe(0)
    expect(out()).toContain(
      'r_0044   3 attempts   topic: "delivery time" is not one of billing, login\n  reply: {"topic":"delivery time"}',
    )
    expect(out()).toContain(`sluice retry ${JOB_ID} --cause schema_invalid`)
    expect(calls).toContain(`failed ${JOB_ID} schema_invalid`)
  })

  it('is a line for each cause, and one for each dead letter, where it is piped', async () => {
    async function* deadLetters() {
      yield '{"type":"dead_letter","row_id":"r_0044","input":{"n":12345678901234567890}}\n'
    }
    const { run, events } = cli({ ...verbs, deadLetters })
    expect(await run('failed', JOB_ID)).toBe(0)
    expect(events().map((event) => event.type)).toEqual(['version', 'dead_letters', 'dead_letter', 'summary'])
    expect(events()[1]).toMatchObject({ cause: 'schema_invalid', rows: 1203, retryable: true })
  })

  it('says when none failed', async () => {
    const { run, err } = cli({ ...verbs, failed: async () => [] })
    expect(await run('failed', JOB_ID)).toBe(0)
    expect(err()).toBe('No row failed.\n')
  })
})

describe('sluice report', () => {
  const report: Engine['report'] = async (_id, format) => (format === 'md' ? '# PASS\n' : '{"verdict":"pass"}')

  it('is the report and nothing else', async () => {
    const { run, out, err } = cli({ report })
    expect(await run('report', JOB_ID)).toBe(0)
    expect(out()).toBe('# PASS\n')
    expect(err()).toBe('')
  })

  it('is JSON with --json', async () => {
    const { run, out } = cli({ report })
    expect(await run('report', JOB_ID, '--json')).toBe(0)
    expect(out()).toBe('{"verdict":"pass"}\n')
  })
})
