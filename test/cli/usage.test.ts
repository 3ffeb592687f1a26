import { describe, expect, it } from 'vitest'
import { cli } from './harness.ts'

describe('a command line that is called wrongly', () => {
  it.each([
    [['rnu', 'x.yaml'], "unknown command 'rnu'", 'Did you mean run?'],
    [['run', 'x.yaml', '--limt', '3'], "unknown option '--limt'", 'Did you mean --limit?'],
    [['run'], "missing required argument 'spec'", ''],
    [['run', 'a.yaml', 'b.yaml'], 'too many arguments', ''],
    [['run', 'x.yaml', '--limit', '0'], 'Expected a whole number from 1.', ''],
    [['run', 'x.yaml', '--var', 'novalue'], 'Expected name=value.', ''],
    [['run', 'x.yaml', '--lane', 'fast'], 'Allowed choices are live, batch, auto.', ''],
    [['wait', 'j', '--timeout', 'soon'], 'Expected a time like 90, 30s, 10m or 2h.', ''],
    [['failed', 'j', '--cause', 'bad'], 'Causes are: rate_limited, ', ''],
    [['jobs', '--state', 'done'], 'States are: created, queued', ''],
    [['set', 'j'], 'Nothing to set.', 'Give --budget-usd, --budget-tokens, --concurrency or --priority.'],
    [['set', 'j', '--budget-usd', 'a lot'], 'Expected dollars such as 20 or 0.25', ''],
    [['results', 'j', '--format', 'parquet'], 'Parquet is written to a file.', ''],
    [['results', 'j', '--follow', '-o', 'x.jsonl'], '--follow writes to stdout.', ''],
    [['results', 'j', '--follow', '--format', 'csv'], '--follow gives JSON lines', ''],
    [['try', 'x.yaml', '--row', 'a', '-n', '3'], '--row names the rows', ''],
    [['simulate', '--rate-limited', '3'], '--rate-limited: expected a share such as 0.2 or 20%', ''],
    [[], 'Usage: sluice', ''],
  ])('%j: says what is wrong, exit 2, nothing opened', async (argv, message, suggestion) => {
    const { run, err, out, calls } = cli({})
    expect(await run(...argv)).toBe(2)
    expect(err()).toContain(message)
    expect(err()).toContain(suggestion)
    expect(
      out()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('{')),
    ).toEqual([])
    expect(calls).toEqual([])
  })

  it('says which environment variable holds nonsense', async () => {
    const { run, err } = cli({}, { env: { SLUICE_LOG_LEVEL: 'loud' } })
    expect(await run('jobs')).toBe(2)
    expect(err()).toContain('error: SLUICE_LOG_LEVEL: expected one of silent, error, warn, info, debug, got "loud"')
  })
})

describe('what is not built yet', () => {
  it.each([[['report', 'j', '--format', 'html'], '--format html']] as const)(
    '%j is refused by name, exit 2',
    async (argv, what) => {
      const { run, err, calls } = cli({})
      expect(await run(...argv)).toBe(2)
      expect(err()).toContain(`error: \`${what}\` is not yet supported.`)
      expect(calls).toEqual([])
    },
  )
})

describe('help', () => {
  it('is data on stdout, exit 0, and lists commands and exit codes', async () => {
    const { run, out, err } = cli({})
    expect(await run('--help')).toBe(0)
    expect(err()).toBe('')
    for (const text of ['run [options] [spec]', 'retry [options] [job]', 'Exit codes:', '130  interrupted'])
      expect(out()).toContain(text)
  })

  it('of a command shows the global flags, too', async () => {
    const { run, out } = cli({})
    expect(await run('run', '--help')).toBe(0)
    expect(out()).toContain('--job-key <key>')
    expect(out()).toContain('--data-dir <dir>')
  })

  it('the version', async () => {
    const { run, out } = cli({})
    expect(await run('--version')).toBe(0)
    expect(out()).toBe('0.1.0\n')
  })
})
