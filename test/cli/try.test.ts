import { describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { Engine, SubmitRequest } from '../../src/engine.ts'
import { aFinished, aJob, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const LINES = [
  '{"id":"r_1","body":"Arrived broken","topic":"shipping","_row_id":"r_1","_status":"ok","_lane":"live","_input_tokens":212,"_output_tokens":18,"_cost_usd":0.0001}',
  '{"id":"r_2","body":"Does what it says","topic":null,"_row_id":"r_2","_status":"failed","_error":"refused","_error_message":"I cannot help with that","_lane":"live","_input_tokens":198,"_output_tokens":17,"_cost_usd":0.0001}',
]

function trial(seen: SubmitRequest[] = []): Partial<Engine> {
  const over = aFinished({
    job: aJob({ state: 'completed', rowsTotal: 2 }),
    counters: { ...NO_COUNTS, succeeded: 1, failed: 1, costNano: 200_000 },
    rowsDone: 2,
    model: 'simulator/standard',
  })
  return {
    submit: async (request) => {
      seen.push(request)
      return { job: aJob({ state: 'queued' }), created: true, notes: [] }
    },
    resume: async () => aJob({ state: 'queued' }),
    work: async () => over,
    results: async (_id, { to }) => {
      if (to.kind === 'stream') await to.write(`${LINES.join('\n')}\n`)
      return { rows: 2, ok: 1, failed: 1, pending: 0 }
    },
    prompts: async () => [
      { rowId: 'r_1', system: 'You label.', messages: [{ role: 'user', text: 'Arrived broken' }], error: null },
    ],
  }
}

describe('sluice try', () => {
  it('shows input, output and cost side by side, and that they are kept', async () => {
    const { run, out, err } = cli(trial(), { tty: 80 })
    expect(await run('try', 'x.yaml', '-n', '2')).toBe(0)
    expect(out()).toBe(
      [
        'r_1   ok   212 in / 18 out   $0.00010',
        '  id    r_1              topic  shipping',
        '  body  Arrived broken',
        '',
        'r_2   failed   198 in / 17 out   $0.00010',
        '  id    r_2                 refused',
        '  body  Does what it says',
        '  I cannot help with that',
        '',
        '',
      ].join('\n'),
    )
    expect(err()).toContain(
      [
        'completed   1 ok   1 failed   0:41   $0.00020',
        'Results kept: these rows will not be paid for again.',
        'The answers are simulated: no model was asked.',
        '',
      ].join('\n'),
    )
  })

  it('prints a line for each row where it is piped', async () => {
    const { run, events } = cli(trial())
    await run('try', 'x.yaml')
    const rows = events().filter((event) => event.type === 'row')
    expect(rows[1]).toEqual({
      type: 'row',
      row_id: 'r_2',
      status: 'failed',
      cause: 'refused',
      message: 'I cannot help with that',
      input: { id: 'r_2', body: 'Does what it says' },
      output: { topic: null },
      lane: 'live',
      tokens: { input: 198, output: 17 },
      cost_usd: 0.0001,
      latency_ms: null,
    })
    expect(events().at(-1)).toMatchObject({ type: 'summary' })
  })

  it('picks rows as asked', async () => {
    const seen: SubmitRequest[] = []
    const { run } = cli(trial(seen))
    await run('try', 'x.yaml')
    await run('try', 'x.yaml', '-n', '5', '--sample')
    await run('try', 'x.yaml', '--row', 'a', '--row', 'b')
    expect(seen.map((request) => request.selection)).toEqual([
      { kind: 'first', n: 3 },
      { kind: 'sample', n: 5, seed: 2 ** 30 },
      { kind: 'keys', keys: ['a', 'b'] },
    ])
  })

  it('with --show-prompt shows what is sent', async () => {
    const { run, out, calls } = cli(trial(), { tty: 80 })
    await run('try', 'x.yaml', '--show-prompt')
    expect(out()).toContain('prompt of r_1\n  system\n    You label.\n  user\n    Arrived broken\n')
    expect(calls).toContain(`prompts ${JOB_ID}`)
  })
})
