import { expect, it } from 'vitest'
import type { ResultLine } from '../../src/batch/batch-api.ts'
import { createCountedInput } from '../../src/batch/counted-input.ts'
import { requestId } from '../../src/batch/request-lines.ts'
import type { BatchPart } from '../../src/domain/batch.ts'

const LONG = 'a'.repeat(32)
const SHORT = 'b'.repeat(32)

const part = (id: string, rows: number, inputTokens: number) =>
  ({ id, rows: Array.from({ length: rows }, (_, row) => row), inputTokens }) as unknown as BatchPart

const reply = (partId: string, row: number, body: object, status = 200): ResultLine => ({
  id: requestId(partId, row),
  result: { kind: 'reply', status, body: JSON.stringify(body), requestId: null },
})

it.each([
  ['OpenAI, chat', { usage: { prompt_tokens: 40, prompt_tokens_details: { cached_tokens: 30 } } }],
  ['OpenAI, responses', { usage: { input_tokens: 40, output_tokens: 9 } }],
  ['Anthropic', { usage: { input_tokens: 5, cache_read_input_tokens: 25, cache_creation_input_tokens: 10 } }],
  ['Gemini', { usageMetadata: { promptTokenCount: 40 } }],
])('reads what %s counts', (_, body) => {
  const counted = createCountedInput([part(LONG, 2, 200)])
  counted.see(reply(LONG, 0, body))
  expect(counted.share()).toBe(0.4)
})

it('compares each reply with its own part, and looks at all of the batch', () => {
  const counted = createCountedInput([part(LONG, 1_000, 1_000_000), part(SHORT, 1_000, 10_000)])
  for (let row = 0; row < 1_000; row++) counted.see(reply(SHORT, row, { usage: { prompt_tokens: 5 } }))
  expect(counted.share()).toBeCloseTo(0.5)
  for (let row = 0; row < 1_000; row++) counted.see(reply(LONG, row, { usage: { prompt_tokens: 500 } }))
  expect(counted.share()).toBeCloseTo(0.5)
  for (let row = 0; row < 1_000; row++) counted.see(reply(LONG, row, { usage: { prompt_tokens: 1_500 } }))
  expect(counted.share()).toBeCloseTo(1, 2)
})

it('says nothing of what does not say it', () => {
  const counted = createCountedInput([part(LONG, 10, 1_000)])
  counted.see(reply(LONG, 0, { error: { message: 'no' } }, 400))
  counted.see(reply(LONG, 1, { choices: [] }))
  counted.see(reply(SHORT, 2, { usage: { prompt_tokens: 5 } }))
  counted.see({ id: null, result: { kind: 'bad', failure: { cause: 'unknown' } as never } })
  expect(counted.share()).toBeNull()
})
