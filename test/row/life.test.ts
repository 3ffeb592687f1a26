import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PastAttempt } from '../../src/domain/attempt.ts'
import type { Completion } from '../../src/domain/completion.ts'
import { CAUSE_RULES, CAUSES, type Cause } from '../../src/domain/failure.ts'
import type { Spec } from '../../src/domain/spec.ts'
import { compileSchema } from '../../src/row/output-schema.ts'
import { createRowProgram } from '../../src/row/program.ts'
import type { Settled } from '../../src/row/row.ts'
import { answered, booked, row, spec, TICKET_SCHEMA, target, unanswered } from './fixture.ts'

const faults = compileSchema(TICKET_SCHEMA)
const columns = ['body']
const input = row('I cannot log in: {{ help }} \u{1F600}')

const reply = fc.oneof(
  fc.constantFrom('{"topic":"login","urgent":true}', '{"topic":"x","urgent":true}', '{"topic":"login"', '', 'no', '{}'),
  fc.string({ unit: 'binary' }),
  // Longer than what is kept of a reply.
  fc.string({ unit: 'binary', minLength: 1 }).map((part) => part.repeat(3000)),
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 })).map((units) => String.fromCharCode(0, ...units)),
)
const completion: fc.Arbitrary<Completion> = fc.oneof(
  fc
    .tuple(reply, fc.constantFrom('stop', 'length', 'content_filter', 'refusal', 'other'), fc.nat(300), fc.nat(300))
    .map(([text, finish, input_, output]) => answered(text, finish as 'stop', { input: input_, output })),
  fc.tuple(fc.constantFrom(...CAUSES), fc.boolean()).map(([cause, retryable]) => unanswered(cause, { retryable })),
)
const causes = fc.subarray([...CAUSES] as Cause[])
const policy = fc.record({
  attempts: fc.integer({ min: 1, max: 4 }),
  retries: fc.nat(4),
  rowTokens: fc.option(fc.integer({ min: 300, max: 20_000 })),
  // Also the same model again with other parameters, and the same fallback twice.
  fallback: fc.array(fc.tuple(fc.constantFrom('openai/main', 'openai/a', 'openai/b'), causes), { maxLength: 3 }),
})

type Policy = typeof policy extends fc.Arbitrary<infer T> ? T : never

function specOf({ attempts, retries, rowTokens, fallback }: Policy): Spec {
  return spec({
    attempts,
    retries,
    rowTokens,
    fallback: fallback.map(([id, when], index) => ({
      target: target(id, { max_output_tokens: 100 + index }),
      price: null,
      when,
      maxShare: null,
    })),
  })
}

interface Life {
  readonly past: readonly PastAttempt[]
  readonly decisions: readonly Settled['next'][]
  readonly steps: readonly { readonly fallbackIndex: number; readonly step: number; readonly hash: string }[]
  readonly ended: string | null
}

/** Lives a row's life. `reborn`: another program settles than prepared, and both from attempts that were read back from bytes, in any order. */
function live(
  spec: Spec,
  completions: readonly Completion[],
  allowed: (index: number) => boolean,
  reborn: boolean,
): Life {
  const program = createRowProgram(spec, columns)
  const other = reborn ? createRowProgram(structuredClone(spec), columns) : program
  const decisions: Settled['next'][] = []
  const steps: { fallbackIndex: number; step: number; hash: string }[] = []
  let past: PastAttempt[] = []
  for (const next of completions) {
    const known = reborn ? past.toReversed() : past
    const prepared = program.prepare(input, known, { fallbackAllowed: allowed })
    if (prepared.kind !== 'send') {
      return { past, decisions, steps, ended: JSON.stringify(prepared) }
    }
    const { fallbackIndex, step, requestHash } = prepared
    steps.push({ fallbackIndex, step, hash: requestHash })
    const settled = other.settle(input, known, prepared, next)
    decisions.push(settled.next)
    const attempt: PastAttempt = {
      ...settled.attempt,
      number: past.length + 1,
      state: 'booked',
      model: prepared.request.target.id,
      inputTokens: next.usage?.inputTokens ?? 0,
      outputTokens: next.usage?.outputTokens ?? 0,
      costNano: null,
      startedAtMs: 0,
      requestHash,
    }
    past = [...past, reborn ? booked(past, prepared, settled, next) : attempt]
    if (settled.next.kind !== 'again' && settled.next.kind !== 'pause') {
      return { past, decisions, steps, ended: settled.next.kind }
    }
  }
  return { past, decisions, steps, ended: null }
}

const uses = (rule: string) => (attempt: PastAttempt) =>
  attempt.cause !== null && CAUSE_RULES[attempt.cause].retry === rule

describe('the life of a row', () => {
  it('ends within a bound of attempts that count, whatever comes back', () => {
    fc.assert(
      fc.property(policy, fc.infiniteStream(completion), fc.integer({ min: 0, max: 7 }), (given, stream, mask) => {
        const completions = [...stream.take(60)]
        const { past, ended } = live(specOf(given), completions, (index) => (mask & (1 << index)) !== 0, false)
        const models = given.fallback.length + 1
        const bound = given.attempts * models + given.retries + models
        const counted = past.filter(({ counts }) => counts).length
        expect(counted).toBeLessThanOrEqual(bound)
        if (counted === bound) expect(ended).not.toBeNull()
      }),
    )
  })

  it('is decided by the attempts alone: a program that reads them back decides the same', () => {
    fc.assert(
      fc.property(
        policy,
        fc.array(completion, { maxLength: 14 }),
        fc.integer({ min: 0, max: 7 }),
        (given, completions, mask) => {
          const allowed = (index: number) => (mask & (1 << index)) !== 0
          const inMemory = live(specOf(given), completions, allowed, false)
          expect(live(specOf(given), completions, allowed, true)).toEqual(inMemory)
        },
      ),
    )
  })

  it('is not shortened by pauses, limits, outages, or attempts that nobody can speak for', () => {
    const free = fc.constantFrom(
      ...CAUSES.filter((cause) => ['free', 'pause', 'retries'].includes(CAUSE_RULES[cause].retry)),
    )
    const lost = fc.constantFrom('lost', 'orphaned', 'open')
    fc.assert(
      fc.property(
        policy,
        fc.array(completion, { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(20), free, lost)),
        (given, completions, extra) => {
          // The noise names the model that was asked before it: where two targets share an id, that would be said of the other one.
          const named = new Set(['openai/main'])
          const fallback = given.fallback.filter(([id]) => !named.has(id) && named.add(id))
          const one = specOf({ ...given, fallback, rowTokens: null })
          const program = createRowProgram(one, columns)
          const { past } = live(one, completions, () => true, false)
          const before = program.prepare(input, past, { fallbackAllowed: () => true })
          const noise = extra.flatMap(([at, cause, state]) => {
            const model = past[at % (past.length || 1)]?.model ?? one.model.target.id
            const template = {
              ...(past[0] ?? attemptOf(model)),
              model,
              reply: null,
              message: null,
              retryable: true,
              counts: false,
            }
            return [
              { ...template, cause, state: 'booked' as const, model: past.at(-1)?.model ?? one.model.target.id },
              {
                ...template,
                cause: null,
                state: state as PastAttempt['state'],
                model: past.at(-1)?.model ?? one.model.target.id,
              },
            ]
          })
          const after = [...past, ...noise].map((attempt, index) => ({ ...attempt, number: index + 1 }))
          expect(program.prepare(input, after, { fallbackAllowed: () => true })).toEqual(before)
        },
      ),
    )
  })

  it('brings only outputs that fit the schema, and only declared columns', () => {
    fc.assert(
      fc.property(policy, fc.array(completion, { maxLength: 14 }), (given, completions) => {
        const { decisions } = live(specOf(given), completions, () => true, false)
        for (const decision of decisions) {
          if (decision.kind !== 'succeeded') continue
          const output = JSON.parse(decision.output)
          expect(faults(output)).toEqual([])
          expect(['topic', 'urgent', 'note', 'score']).toEqual(expect.arrayContaining(Object.keys(output)))
        }
      }),
    )
  })

  it('never begins a request that would pass the token budget', () => {
    fc.assert(
      fc.property(policy, fc.array(completion, { maxLength: 14 }), (given, completions) => {
        const { past, steps } = live(specOf(given), completions, () => true, false)
        const { rowTokens } = given
        let used = 0
        for (const [at, attempt] of past.entries()) {
          const maxOutput = steps[at]?.fallbackIndex === -1 ? 200 : 100 + (steps[at]?.fallbackIndex ?? 0)
          if (rowTokens !== null) expect(used + maxOutput).toBeLessThanOrEqual(rowTokens)
          used += attempt.inputTokens + attempt.outputTokens
        }
      }),
    )
  })

  it('counts attempts by the table: free and pausing causes never, the others always', () => {
    fc.assert(
      fc.property(policy, fc.array(completion, { maxLength: 14 }), (given, completions) => {
        const { past } = live(specOf(given), completions, () => true, false)
        const uncounted = past.filter((attempt) => uses('free')(attempt) || uses('pause')(attempt))
        expect(past.filter(({ counts }) => !counts)).toEqual(uncounted)
        for (const { reply } of past) expect(Buffer.byteLength(reply ?? '')).toBeLessThanOrEqual(4096)
      }),
    )
  })
})

function attemptOf(model: string): PastAttempt {
  return {
    number: 1,
    state: 'booked',
    cause: null,
    message: null,
    counts: false,
    model,
    reply: null,
    inputTokens: 0,
    outputTokens: 0,
    costNano: null,
    startedAtMs: 0,
    requestHash: '',
  }
}
