import { describe, expect, it } from 'vitest'
import { readChat } from '../../src/chat/read-chat.ts'
import type { Finish } from '../../src/domain/completion.ts'
import type { Value } from '../../src/domain/row.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { ALL_ALLOWED, answered, booked, row, sendable, spec } from './fixture.ts'

const REQUESTS = {
  ...spec({ schema: null, columns: ['answer', 'finish_reason', 'refusal'], params: {} }),
  prompt: { system: null, user: null, request: 'chat_completions' as const },
}
const program = createRowProgram(REQUESTS, ['custom_id', 'body'], readChat)

const requestOf = (more: { readonly [key: string]: Value } = {}) =>
  row('a', {
    model: 'm',
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: 'u' },
    ],
    ...more,
  })

const SCHEMA = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
const AS_JSON = { response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA } } }

describe('a row that is a whole request', () => {
  it('is asked as it says, of the model of its job', () => {
    const { request } = sendable(
      program.prepare(requestOf({ temperature: 0.5, max_tokens: 9, ...AS_JSON }), [], ALL_ALLOWED),
    )
    expect(request).toMatchObject({
      target: { id: 'openai/main', params: { temperature: 0.5, max_output_tokens: 9 } },
      system: 's',
      messages: [{ role: 'user', text: 'u' }],
      schema: SCHEMA,
    })
  })

  it('asks with the same schema object as the rows before it', () => {
    const [first, second] = [requestOf(AS_JSON), requestOf(structuredClone(AS_JSON))].map(
      (each) => sendable(program.prepare(each, [], ALL_ALLOWED)).request.schema,
    )
    expect(first).toBe(second)
  })

  it('that nobody can read fails, and is not asked', () => {
    expect(program.prepare(requestOf({ tools: [{}] }), [], ALL_ALLOWED)).toMatchObject({
      kind: 'fail',
      failure: { cause: 'template_error', message: expect.stringContaining('tools') },
    })
  })

  const settle = (text: string, finish: Finish, more = {}) => {
    const asked = requestOf(more)
    return program.settle(asked, [], sendable(program.prepare(asked, [], ALL_ALLOWED)), answered(text, finish)).next
  }

  it.each<[string, Finish, object]>([
    ['Hi', 'stop', { answer: 'Hi', finish_reason: 'stop', refusal: null }],
    ['Hi', 'other', { answer: 'Hi', finish_reason: 'stop', refusal: null }],
    ['H', 'length', { answer: 'H', finish_reason: 'length', refusal: null }],
    ['', 'content_filter', { answer: '', finish_reason: 'content_filter', refusal: null }],
    ['I cannot.', 'refusal', { answer: null, finish_reason: 'stop', refusal: 'I cannot.' }],
  ])('keeps %j, which ended by %s, as OpenAI delivers it', (text, finish, kept) => {
    const next = settle(text, finish)
    expect(next.kind === 'succeeded' && JSON.parse(next.output)).toEqual(kept)
  })

  it('is asked again for an empty answer', () => {
    expect(settle(' ', 'stop')).toMatchObject({ kind: 'again', failure: { cause: 'schema_invalid' } })
  })

  it('takes JSON by its schema alone, with all its digits, and nothing that is cut off', () => {
    const next = settle('```json\n{"a": 12345678901234567890, "b": 1}\n```', 'stop', AS_JSON)
    expect(next.kind === 'succeeded' && JSON.parse(next.output).answer).toBe('{"a":12345678901234567890,"b":1}')
    expect(settle('{"a": "x"}', 'stop', AS_JSON)).toMatchObject({ kind: 'again', failure: { cause: 'schema_invalid' } })
    expect(settle('{"a": 1', 'length', AS_JSON)).toMatchObject({ kind: 'again', failure: { cause: 'truncated' } })
  })

  it('is asked again behind its own conversation', () => {
    const asked = requestOf(AS_JSON)
    const first = sendable(program.prepare(asked, [], ALL_ALLOWED))
    const completion = answered('{"a": "x"}')
    const past = [booked([], first, program.settle(asked, [], first, completion), completion)]
    const second = sendable(program.prepare(asked, past, ALL_ALLOWED))
    expect(second.request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(second.request.messages[2]?.text).toContain('was not accepted')
  })

  it('needs the column that holds it', () => {
    expect(() => createRowProgram(REQUESTS, ['custom_id'], readChat)).toThrow('body')
  })
})
