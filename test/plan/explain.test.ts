import { describe, expect, it } from 'vitest'
import type { PaidAgainReason } from '../../src/domain/plan.ts'
import type { Row } from '../../src/domain/row.ts'
import type { Spec } from '../../src/domain/spec.ts'
import { createExplainer } from '../../src/plan/explain.ts'
import { requestDifferences } from '../../src/plan/spec-difference.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { canonicalJson, specFromCanonical } from '../../src/spec/canonical.ts'
import { spec, target } from '../row/fixture.ts'

const before = spec({ system: 'Label it.\nBe brief.', user: 'A ticket:\n{{ body }}' })
const program = createRowProgram(before, ['body'])
const row = (id: string, body: string): Row => ({ index: Number(id.slice(1)), id, values: [body] })
const hashOf = (one: Row) => {
  const prepared = program.prepare(one, [], { fallbackAllowed: () => false })
  if (prepared.kind !== 'send') throw new Error('the row is not sent')
  return prepared.requestHash
}

/** What is said of rows to run under a spec of now, after a job in which r0 to r3 ended in different ways. */
function explain(now: Spec, rows: readonly Row[], more: { readonly answered?: boolean; readonly program?: null } = {}) {
  const explainer = createExplainer({ id: 'job_1', spec: before, program: more.program === null ? null : program }, now)
  explainer.remember([
    { rowId: 'r0', state: 'succeeded', requestHash: hashOf(row('r0', 'zero')) },
    { rowId: 'r1', state: 'failed', requestHash: hashOf(row('r1', 'one')) },
    { rowId: 'r2', state: 'skipped', requestHash: null },
    { rowId: 'r3', state: 'cancelled', requestHash: null },
  ])
  const programNow = createRowProgram(now, ['body'])
  for (const one of rows) {
    const sendable = programNow.prepare(one, [], { fallbackAllowed: () => false })
    if (sendable.kind === 'send') explainer.add({ row: one, sendable, bytes: 1 }, 1, more.answered === true)
  }
  return explainer.finish()
}

const reasonOf = (now: Spec, one: Row, more = {}): PaidAgainReason | undefined =>
  explain(now, [one], more).reasons[0]?.reason

describe('why a row is paid for again', () => {
  it.each<[string, Spec, Row, PaidAgainReason, object]>([
    ['it is new', before, row('r9', 'nine'), 'new row', {}],
    ['its text changed', before, row('r0', 'other'), 'row changed', {}],
    ['it failed', before, row('r1', 'one'), 'failed before', {}],
    ['it was skipped', before, row('r2', 'two'), 'skipped before', {}],
    ['it was cancelled', before, row('r3', 'three'), 'not finished before', {}],
    [
      'the cache is off',
      { ...before, execution: { ...before.execution, cache: 'off' } },
      row('r0', 'zero'),
      'cache off',
      {},
    ],
    ['its answer is gone', before, row('r0', 'zero'), 'answer not kept', {}],
    ['its answer is not accepted any more', before, row('r0', 'zero'), 'checks changed', { answered: true }],
    [
      'the old spec does not fit the columns',
      spec({ user: 'New: {{ body }}' }),
      row('r0', 'zero'),
      'row changed',
      { program: null },
    ],
    [
      'the prompt changed',
      { ...before, prompt: { ...before.prompt, system: 'Label it.\nBe verbose.' } },
      row('r0', 'zero'),
      'prompt changed',
      {},
    ],
    [
      'the model changed',
      { ...before, model: { ...before.model, target: target('openai/other', before.model.target.params) } },
      row('r0', 'zero'),
      'model changed',
      {},
    ],
    [
      'a parameter changed',
      { ...before, model: { ...before.model, target: target('openai/main', { max_output_tokens: 9 }) } },
      row('r0', 'zero'),
      'parameters changed',
      {},
    ],
    [
      'the schema changed',
      { ...before, output: { ...before.output, schema: { type: 'object', properties: { a: {} } } } },
      row('r0', 'zero'),
      'output schema changed',
      {},
    ],
  ])('%s', (_why, now, one, reason, more) => {
    expect(reasonOf(now, one, more)).toBe(reason)
  })

  it('counts rows by reason, most first, and names every part of the spec that differs', () => {
    const now: Spec = {
      ...before,
      prompt: { ...before.prompt, user: 'A ticket:\n{{ body }}!' },
      model: { ...before.model, target: target('openai/main', { max_output_tokens: 200, temperature: 0 }) },
    }
    expect(explain(now, [row('r0', 'zero'), row('r1', 'one'), row('r8', 'x'), row('r9', 'y')])).toEqual({
      job: 'job_1',
      reasons: [
        { reason: 'new row', rows: 2, place: null },
        { reason: 'parameters changed', rows: 1, place: 'model.params.temperature' },
        { reason: 'failed before', rows: 1, place: null },
        { reason: 'prompt changed', rows: 0, place: 'prompt.user, line 2' },
      ],
    })
  })
})

describe('what two versions of a spec ask differently', () => {
  it('is nothing where only what is around the request changed', () => {
    expect(
      requestDifferences(before, { ...before, budget: { ...before.budget, rowTokens: 1 }, priority: 'low' }),
    ).toEqual([])
  })

  it('is nothing where parts only stand in another order: a spec that was stored has its keys sorted', () => {
    const schema = (...names: string[]) => ({
      properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    })
    expect(requestDifferences(spec({ schema: schema('a', 'b') }), spec({ schema: schema('b', 'a') }))).toEqual([])
    expect(requestDifferences(before, specFromCanonical(canonicalJson(before)))).toEqual([])
  })

  it('names the first place in the part', () => {
    const changed = spec({ schema: { type: 'object', properties: { topic: { type: 'number' } } } })
    const place = requestDifferences(spec(), changed)[0]?.place
    expect(place).toBe('output.properties.topic.type')
  })
})
