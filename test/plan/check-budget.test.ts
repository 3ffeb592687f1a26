import { expect, it } from 'vitest'
import type { Price } from '../../src/domain/money.ts'
import { checkSpec } from '../../src/plan/check.ts'
import { lines, readText } from '../spec/spec-folder.ts'

const price: Price = {
  inputNanoPerMillion: 250_000_000,
  outputNanoPerMillion: 2_000_000_000,
  cachedInputNanoPerMillion: null,
  cacheWriteNanoPerMillion: null,
  source: 'spec',
}

/** What `check` has against a spec with these lines for its model and its budget; `known`: the models whose price is. */
async function problems(model: string, budget: string, known: readonly string[] = ['openai/gpt-5-mini']) {
  const text = `version: 1
name: triage
input: { source: rows.csv }
model:
  id: openai/gpt-5-mini
${model}prompt: { user: "{{ text }}" }
budget: ${budget}
`
  const found = await checkSpec(await readText(text, { env: { HOME: '/home/me' } }), {
    env: () => 'secret',
    describeInput: async () => ({
      columns: ['text'],
      format: 'csv',
      files: ['rows.csv'],
      bytesTotal: 10,
      rowsTotal: null,
      notes: [],
    }),
    price: ({ id }) => (known.includes(id) ? price : null),
    hasBatches: () => true,
    hasFlex: () => true,
  })
  return lines(found).filter((line) => !line.startsWith('ok '))
}

const BOUNDED = '  params: { max_output_tokens: 500 }\n'

it('has nothing against a budget whose worst cases are known', async () => {
  expect(await problems(BOUNDED, '{ usd: 20, tokens: 100000, on_exceed: stop }')).toEqual([])
  expect(await problems(BOUNDED, '{ tokens: 100000 }', [])).toEqual([
    expect.stringMatching(/^warning .* the price of openai\/gpt-5-mini is not known: costs will be shown as unknown/),
  ])
})

it('refuses dollars for a model, or a fallback, whose price nobody knows, at its place', async () => {
  expect(await problems(BOUNDED, '{ usd: 20 }', [])).toEqual([
    expect.stringMatching(
      /^error s\.yaml:5:7 the price of openai\/gpt-5-mini is not known, so a budget in dollars cannot be kept \| Give it: model\.price: /,
    ),
  ])
  const fallback = `${BOUNDED}  fallback:\n    - { id: openai/other, when: [schema_invalid] }\n`
  expect(await problems(fallback, '{ usd: 20 }')).toEqual([
    expect.stringMatching(
      /^error s\.yaml:8:13 the price of openai\/other is not known, .* \| Give it: model\.fallback\[0\]\.price: /,
    ),
  ])
})

it('refuses dollars without max_output_tokens, and warns of tokens without it', async () => {
  expect(await problems('', '{ usd: 20 }')).toEqual([
    expect.stringMatching(
      /^error s\.yaml:7:16 a budget in dollars needs max_output_tokens: .* \| Give it: model\.params: \{ max_output_tokens: 500 \}/,
    ),
  ])
  expect(await problems('', '{ tokens: 1000 }')).toEqual([
    expect.stringMatching(
      /^warning s\.yaml:7:19 without model\.params\.max_output_tokens an answer is taken to have 4096 tokens/,
    ),
  ])
})

it('refuses sums that are none', async () => {
  expect(await problems(BOUNDED, '{ usd: -1 }')).toEqual([
    expect.stringMatching(/^error s\.yaml:8:16 budget\.usd must be a decimal/),
  ])
  expect(await problems(BOUNDED, '{ usd: 0.1234567891 }')).toEqual([
    expect.stringMatching(/^error s\.yaml:8:16 budget\.usd must be a decimal .* nine decimals, got 0\.1234567891/),
  ])
  expect(await problems(BOUNDED, '{ on_exceed: fail }')).toEqual([
    expect.stringMatching(/^error s\.yaml:8:22 budget\.on_exceed must be/),
  ])
})
