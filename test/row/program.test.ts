import { describe, expect, it } from 'vitest'
import type { PastAttempt } from '../../src/domain/attempt.ts'
import type { Completion } from '../../src/domain/completion.ts'
import { CAUSES } from '../../src/domain/failure.ts'
import type { Value } from '../../src/domain/row.ts'
import { SluiceError } from '../../src/errors.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { ALL_ALLOWED, answered, booked, row, sendable, spec, target, unanswered } from './fixture.ts'

const LOGIN = '{"topic":"login","urgent":true}'
const columns = ['body', 'id']

/** Runs a row against completions in turn; says what was asked, booked and decided. */
function live(variation: Parameters<typeof spec>[0], completions: readonly Completion[], allowed = ALL_ALLOWED) {
  const program = createRowProgram(spec(variation), columns)
  const input = row('I cannot log in', 7)
  const past: PastAttempt[] = []
  const steps: string[] = []
  for (const completion of completions) {
    const prepared = program.prepare(input, past, allowed)
    if (prepared.kind !== 'send') return { steps: [...steps, JSON.stringify(prepared)], past }
    const settled = program.settle(input, past, prepared, completion)
    const { next } = settled
    const end = next.kind === 'succeeded' ? next.output : next.kind === 'again' ? next.when : next.failure.cause
    steps.push(`${prepared.request.target.id}#${prepared.step} ${settled.attempt.cause ?? 'ok'} ${next.kind} ${end}`)
    past.push(booked(past, prepared, settled, completion))
    if (next.kind === 'succeeded' || next.kind === 'failed') return { steps, past, program, input }
  }
  return { steps, past, program, input }
}

const fallbackTo = (id: string, ...when: readonly (typeof CAUSES)[number][]) => ({
  target: target(`openai/${id}`),
  price: null,
  when,
  maxShare: null,
})

describe('createRowProgram', () => {
  it('reports every fault of the spec at once', () => {
    const broken = spec({
      system: '{{ bdy }}',
      user: '{{ body | shout }}\n{{ row["idd"] }}',
      where: 'body = 1',
      vars: { language: 'en' },
      checks: [{ that: 'output.topik == vars.lang', message: 'm' }],
      schema: { type: 'objekt' },
    })
    const messages = (() => {
      try {
        createRowProgram(broken, columns)
      } catch (error) {
        if (error instanceof SluiceError) return [error.code, ...error.findings.map(({ message }) => message)]
      }
      return []
    })()
    expect(messages).toEqual([
      'spec_invalid',
      'prompt.system, line 1, column 4: there is no column "bdy"',
      'prompt.user, line 1, column 1: there is no filter "shout"',
      'prompt.user, line 2, column 4: there is no "row.idd"',
      'input.where, line 1, column 7: expected "|" before filter',
      'output.checks[0].that, line 1, column 1: there is no "output.topik"',
      'output.checks[0].that, line 1, column 17: there is no "vars.lang"',
      expect.stringMatching(/^output: the schema is not valid: /),
    ])
  })
})

describe('the prompt', () => {
  const prompt = (variation: Parameters<typeof spec>[0], values: readonly Value[] = ['hi', 1n], names = columns) => {
    const program = createRowProgram(spec(variation), names)
    return sendable(program.prepare(row(...values), [], ALL_ALLOWED)).request.messages[0]?.text
  }

  it('is followed by the row where it names no column', () => {
    expect(prompt({ user: 'Label this.' })).toBe('Label this.\n\n{"body":"hi","id":1}')
    expect(prompt({ user: 'Label this in {{ vars.l }}.\n', vars: { l: 'en' } })).toBe(
      'Label this in en.\n\n{"body":"hi","id":1}',
    )
    expect(prompt({ user: null })).toBe('{"body":"hi","id":1}')
    expect(prompt({ user: '{{ row | json }}' })).toBe('{"body":"hi","id":1}')
    expect(prompt({ user: '{{ body }}' })).toBe('hi')
    expect(prompt({ user: null }, ['x', null], ['2', '1'])).toBe('{"2":"x","1":null}')
  })

  it('holds the system prompt, rendered too', () => {
    const program = createRowProgram(spec({ system: 'In {{ vars.l }}: {{ id }}', vars: { l: 'en' } }), columns)
    expect(sendable(program.prepare(row('a', 7), [], ALL_ALLOWED)).request).toMatchObject({ system: 'In en: 7' })
  })

  it('that cannot be rendered ends the row', () => {
    const program = createRowProgram(spec({ user: 'x\n{{ body.author }}' }), columns)
    expect(program.prepare(row({}, 7), [], ALL_ALLOWED)).toMatchObject({
      kind: 'fail',
      failure: { cause: 'template_error', message: 'prompt.user, line 2, column 4: there is no "body.author"' },
    })
  })
})

describe('where', () => {
  it('skips rows that fail it', () => {
    const program = createRowProgram(spec({ where: 'body.size > 0 and id != 3' }), columns)
    const kinds = [row('x', 1), row('', 1), row('x', 3), row(null, 1)].map(
      (each) => program.prepare(each, [], ALL_ALLOWED).kind,
    )
    expect(kinds).toEqual(['send', 'skip', 'skip', 'skip'])
  })

  it('ends a row that it cannot judge, rather than skipping it', () => {
    const program = createRowProgram(spec({ where: 'body.lenght > 0' }), columns)
    expect(program.prepare(row('x', 1), [], ALL_ALLOWED)).toMatchObject({
      kind: 'fail',
      failure: { cause: 'template_error', message: 'input.where, column 1: there is no "body.lenght"' },
    })
  })
})

describe('an accepted answer', () => {
  it('holds the declared columns in their order, and no others', () => {
    const text = '{"score":0.50,"extra":1,"urgent":true,"topic":"bug"}'
    expect(live({}, [answered(text)]).steps).toEqual([
      'openai/main#1 ok succeeded {"topic":"bug","urgent":true,"score":0.5}',
    ])
  })

  it('keeps the order of its columns, whatever their names, and the digits of its numbers', () => {
    const schema = { type: 'object', properties: { b: {}, '2': {}, '1': {}, __proto__: {} } }
    const text = '{"1":12345678901234567890,"2":[0.10],"__proto__":"x","b":null}'
    expect(live({ schema, columns: ['b', '2', '1', '__proto__'] }, [answered(text)]).steps).toEqual([
      'openai/main#1 ok succeeded {"b":null,"2":[0.10],"1":12345678901234567890,"__proto__":"x"}',
    ])
  })

  it('is plain text as it came, where there is no schema', () => {
    expect(live({ schema: null }, [answered('  One line.\n{{ x }}')]).steps).toEqual([
      'openai/main#1 ok succeeded {"answer":"  One line.\\n{{ x }}"}',
    ])
    expect(live({ schema: null, attempts: 1 }, [answered(' \n')]).steps).toEqual([
      'openai/main#1 schema_invalid failed schema_invalid',
    ])
    expect(live({ schema: null, attempts: 1 }, [answered('One li', 'length')]).steps).toEqual([
      'openai/main#1 truncated failed truncated',
    ])
  })

  it('may have met the token limit, if it is whole', () => {
    expect(live({}, [answered(`${LOGIN}\n\n  `, 'length')]).steps).toEqual([`openai/main#1 ok succeeded ${LOGIN}`])
    expect(live({ attempts: 1 }, [answered('{"topic":"login","urgent":true,}', 'length')]).steps).toEqual([
      'openai/main#1 truncated failed truncated',
    ])
  })

  it('passes every check', () => {
    const checks = [
      { that: "output.topic != 'refund' or output.urgent", message: 'refunds are urgent' },
      { that: 'output.note == nil or output.note.size < 10', message: 'short notes' },
      { that: 'id > 5', message: 'only new tickets' },
    ]
    const { steps, past } = live({ checks }, [
      answered('{"topic":"refund","urgent":false}'),
      answered('{"topic":"refund","urgent":true}'),
    ])
    expect(steps).toEqual([
      'openai/main#1 check_failed again now',
      'openai/main#2 ok succeeded {"topic":"refund","urgent":true}',
    ])
    expect(past[0]?.message).toBe('refunds are urgent')
  })
})

describe('an answer that does not fit', () => {
  it('is fed back with what was wrong, then asked for a last time with the schema', () => {
    const bad = answered('{"topic":"delivery time","urgent":true}')
    const { steps, past, program, input } = live({}, [bad, bad])
    expect(steps).toEqual(['openai/main#1 schema_invalid again now', 'openai/main#2 schema_invalid again now'])
    const second = sendable(program?.prepare(input, past.slice(0, 1), ALL_ALLOWED) ?? { kind: 'skip' })
    expect(second.request.messages).toEqual([
      { role: 'user', text: 'I cannot log in' },
      { role: 'assistant', text: bad.text },
      {
        role: 'user',
        text: 'An earlier answer was not accepted: topic "delivery time" is not one of billing, login, bug, refund, other.\nAnswer with valid JSON only, no other text.',
      },
    ])
    const third = sendable(program?.prepare(input, past, ALL_ALLOWED) ?? { kind: 'skip' })
    expect(third.step).toBe(3)
    expect(third.requestHash).not.toBe(second.requestHash)
    expect(third.request.messages[2]?.text).toContain('It must fit this JSON Schema: {"type":"object"')
  })

  it('ends the row after the last try, and is kept', () => {
    const { steps, past } = live({}, [answered('no'), answered('no'), answered('still no')])
    expect(steps.at(-1)).toBe('openai/main#3 invalid_json failed invalid_json')
    expect(past.map(({ reply }) => reply)).toEqual(['no', 'no', 'still no'])
    expect(past[2]?.message).toBe('the answer holds no JSON object; it begins: still no')
  })

  it('is not shown again where it was cut off', () => {
    const { past, program, input } = live({}, [answered('{"topic":', 'length')])
    const { messages } = sendable(program?.prepare(input, past, ALL_ALLOWED) ?? { kind: 'skip' }).request
    expect(messages).toHaveLength(1)
    expect(messages[0]?.text).toContain(
      'I cannot log in\n\nAn earlier answer was not accepted: the answer was cut off at max_output_tokens (200).',
    )
  })

  it('goes on as if nothing had been, after an attempt that brought no answer', () => {
    expect(live({}, [answered('no'), unanswered('timeout'), answered(LOGIN)]).steps).toEqual([
      'openai/main#1 invalid_json again now',
      'openai/main#2 timeout again wait',
      `openai/main#2 ok succeeded ${LOGIN}`,
    ])
  })
})

describe('a failure', () => {
  const first = (completion: Completion) => live({}, [completion]).steps[0]?.replace('openai/main#1 ', '')

  it('is settled by the table of causes', () => {
    expect(
      Object.fromEntries(CAUSES.map((cause) => [cause, first(unanswered(cause))?.split(' ').slice(1).join(' ')])),
    ).toEqual({
      rate_limited: 'again wait',
      overloaded: 'again wait',
      timeout: 'again wait',
      connection: 'again wait',
      provider_error: 'again wait',
      credentials: 'pause credentials',
      quota_exhausted: 'pause quota_exhausted',
      context_too_long: 'failed context_too_long',
      content_filtered: 'failed content_filtered',
      refused: 'failed refused',
      truncated: 'again now',
      invalid_json: 'again now',
      schema_invalid: 'again now',
      check_failed: 'again now',
      template_error: 'failed template_error',
      input_unreadable: 'failed input_unreadable',
      row_budget: 'failed row_budget',
      batch_expired: 'again wait',
      chunk_failed: 'failed chunk_failed',
      cancelled: 'failed cancelled',
      unknown: 'again wait',
    })
  })

  it('that asking again cannot help is final, but a pause stays a pause', () => {
    expect(first(unanswered('provider_error', { retryable: false, status: 400 }))).toBe(
      'provider_error failed provider_error',
    )
    expect(first(unanswered('rate_limited', { retryable: false }))).toBe('rate_limited failed rate_limited')
    expect(first(unanswered('credentials', { retryable: false }))).toBe('credentials pause credentials')
  })

  it('of the model itself is told apart: refused, filtered', () => {
    expect(first(answered('I will not.', 'refusal'))).toBe('refused failed refused')
    expect(first(answered(LOGIN, 'content_filter'))).toBe('content_filtered failed content_filtered')
  })

  it('uses up retries over the whole row', () => {
    const { steps } = live({ retries: 2 }, [
      unanswered('timeout'),
      unanswered('rate_limited'),
      unanswered('connection'),
      unanswered('unknown'),
    ])
    expect(steps).toEqual([
      'openai/main#1 timeout again wait',
      'openai/main#1 rate_limited again wait',
      'openai/main#1 connection again wait',
      'openai/main#1 unknown failed unknown',
    ])
  })

  it('that was booked as not counting, in an outage, uses nothing up', () => {
    const program = createRowProgram(spec({ retries: 0 }), columns)
    const sent = sendable(program.prepare(row('x', 1), [], ALL_ALLOWED))
    const down = unanswered('connection')
    const past: PastAttempt[] = []
    for (let time = 0; time < 5; time++) {
      past.push(booked(past, sent, program.settle(row('x', 1), past, sent, down), down, { counts: false }))
      expect(program.prepare(row('x', 1), past, ALL_ALLOWED)).toEqual({ kind: 'send', ...sent })
    }
    expect(program.settle(row('x', 1), past, sent, down).next.kind).toBe('failed')
  })

  it('keeps how long the provider asked to wait', () => {
    const program = createRowProgram(spec(), columns)
    const sent = sendable(program.prepare(row('x', 1), [], ALL_ALLOWED))
    const settled = program.settle(row('x', 1), [], sent, unanswered('rate_limited', { retryAfterMs: 1500 }))
    expect(settled.next).toMatchObject({ kind: 'again', failure: { retryAfterMs: 1500 } })
    expect(settled.attempt.counts).toBe(false)
  })
})

describe('a fallback', () => {
  it('is asked when the attempts of the model before it are used up, from step 1', () => {
    const fallback = [fallbackTo('big', 'schema_invalid')]
    expect(live({ attempts: 1, fallback }, [answered('{}'), answered(LOGIN)]).steps).toEqual([
      'openai/main#1 schema_invalid again now',
      `openai/big#1 ok succeeded ${LOGIN}`,
    ])
    expect(live({ attempts: 2, fallback }, [answered('{}'), answered('no'), answered(LOGIN)]).steps.at(-1)).toBe(
      'openai/main#2 invalid_json failed invalid_json',
    )
  })

  it('is asked at once where the cause is final, in the order of the spec, by cause', () => {
    const fallback = [fallbackTo('a', 'refused'), fallbackTo('b', 'context_too_long'), fallbackTo('c', 'refused')]
    expect(
      live({ fallback }, [unanswered('context_too_long'), answered('no', 'refusal'), answered(LOGIN)]).steps,
    ).toEqual([
      'openai/main#1 context_too_long again now',
      'openai/b#1 refused again now',
      `openai/c#1 ok succeeded ${LOGIN}`,
    ])
  })

  it('has attempts of its own, but shares the retries', () => {
    const fallback = [fallbackTo('big', 'invalid_json', 'timeout')]
    const { steps } = live({ attempts: 2, retries: 1, fallback }, [
      answered('no'),
      unanswered('timeout'),
      answered('no'),
      answered('no'),
      unanswered('timeout'),
      answered(LOGIN),
    ])
    expect(steps).toEqual([
      'openai/main#1 invalid_json again now',
      'openai/main#2 timeout again wait',
      'openai/main#2 invalid_json again now',
      'openai/big#1 invalid_json again now',
      'openai/big#2 timeout failed timeout',
    ])
  })

  it('follows a failure that asking the same model again cannot help', () => {
    const fallback = [fallbackTo('big', 'provider_error')]
    expect(live({ fallback }, [unanswered('provider_error', { retryable: false }), answered(LOGIN)]).steps).toEqual([
      'openai/main#1 provider_error again now',
      `openai/big#1 ok succeeded ${LOGIN}`,
    ])
  })

  it('may be the same model with other parameters', () => {
    const fallback = [{ ...fallbackTo('main', 'truncated'), target: target('openai/main', { max_output_tokens: 900 }) }]
    const { past, program, input } = live({ attempts: 1, fallback }, [
      answered('{', 'length'),
      unanswered('rate_limited'),
    ])
    const third = sendable(program?.prepare(input, past, ALL_ALLOWED) ?? { kind: 'skip' })
    expect(third).toMatchObject({ fallbackIndex: 0, step: 1, worstOutputTokens: 900 })
  })

  it('whose share is used up is passed over; with none left the row ends with its own failure', () => {
    const fallback = [fallbackTo('a', 'refused'), fallbackTo('b', 'refused')]
    const refused = answered('no', 'refusal')
    expect(
      live({ fallback }, [refused, answered(LOGIN)], { fallbackAllowed: (index) => index === 1 }).steps.at(-1),
    ).toBe(`openai/b#1 ok succeeded ${LOGIN}`)
    expect(live({ fallback }, [refused, refused], { fallbackAllowed: () => false }).steps.at(-1)).toContain(
      '"cause":"refused"',
    )
  })

  it('that a row has begun on is not asked for a share again', () => {
    const fallback = [fallbackTo('a', 'refused')]
    const { past, program, input } = live({ fallback }, [answered('no', 'refusal'), unanswered('timeout')])
    const options = { fallbackAllowed: () => false }
    expect(sendable(program?.prepare(input, past, options) ?? { kind: 'skip' }).fallbackIndex).toBe(0)
    const lost = past.map((attempt, at) => (at === 1 ? { ...attempt, state: 'lost' as const, cause: null } : attempt))
    expect(sendable(program?.prepare(input, lost, options) ?? { kind: 'skip' }).fallbackIndex).toBe(0)
  })
})

describe('budget.row_tokens', () => {
  it('is checked before each request, by what was used and what the next may take', () => {
    const small = answered('no', 'stop', { input: 60, output: 5 })
    const { steps } = live({ rowTokens: 500 }, [small, answered('no', 'stop', { input: 100, output: 120 }), small])
    expect(steps.slice(0, 2)).toEqual(['openai/main#1 invalid_json again now', 'openai/main#2 invalid_json again now'])
    expect(steps[2]).toMatch(
      /"cause":"row_budget","message":"the next request may take \d+ tokens, 285 are used, and budget.row_tokens is 500 \(before: invalid_json/,
    )
  })

  it('believes what the provider counted for an earlier request of the row', () => {
    const { steps } = live({ rowTokens: 1200 }, [answered('no', 'stop', { input: 700, output: 100 }), answered(LOGIN)])
    expect(steps[1]).toContain('the next request may take 900 tokens, 800 are used, and budget.row_tokens is 1200')
  })

  it('counts what an orphaned attempt cost, and not the bounds of a lost one', () => {
    const program = createRowProgram(spec({ rowTokens: 1200 }), columns)
    const sent = sendable(program.prepare(row('x', 1), [], ALL_ALLOWED))
    const settled = program.settle(row('x', 1), [], sent, unanswered('timeout'))
    const past = (state: PastAttempt['state']) => [
      booked([], sent, settled, unanswered('timeout'), { state, inputTokens: 5000, outputTokens: 0 }),
    ]
    expect(program.prepare(row('x', 1), past('lost'), ALL_ALLOWED).kind).toBe('send')
    expect(program.prepare(row('x', 1), past('orphaned'), ALL_ALLOWED)).toMatchObject({
      failure: { cause: 'row_budget' },
    })
  })
})
