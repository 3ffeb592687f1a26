import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readChat } from '../../src/chat/read-chat.ts'
import type { ChatKind, ChatParts } from '../../src/domain/chat.ts'
import { parseExact } from '../../src/domain/exact-json.ts'
import type { Value } from '../../src/domain/row.ts'

function parts(kind: ChatKind, body: Value): ChatParts {
  const reading = readChat(kind, body)
  if (!reading.ok) throw new Error(reading.fault.message)
  return reading.parts
}

function fault(kind: ChatKind, body: Value) {
  const reading = readChat(kind, body)
  if (reading.ok) throw new Error('it was taken')
  return reading.fault
}

const HELLO = { role: 'user', content: 'Hello' }
const chat = (more: { readonly [key: string]: Value } = {}): Value => ({ model: 'm', messages: [HELLO], ...more })

describe('a body of /v1/chat/completions', () => {
  it('is a conversation whose system messages come first', () => {
    const messages = [
      { role: 'developer', content: 'Be kind.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'system', content: 'Be brief.' },
      { role: 'assistant', content: 'c' },
      { role: 'user', content: 'd', name: 'Ada' },
    ]
    expect(parts('chat_completions', chat({ messages }))).toEqual({
      model: 'm',
      system: 'Be kind.\n\nBe brief.',
      messages: [
        { role: 'user', text: 'ab' },
        { role: 'assistant', text: 'c' },
        { role: 'user', text: 'd' },
      ],
      params: {},
      schema: null,
    })
  })

  it("is asked as the user's where it holds nothing but a system message", () => {
    const { system, messages } = parts('chat_completions', chat({ messages: [{ role: 'system', content: 'Say hi.' }] }))
    expect({ system, messages }).toEqual({ system: null, messages: [{ role: 'user', text: 'Say hi.' }] })
  })

  it('says its parameters in our words', () => {
    const body = chat({
      max_tokens: 5,
      max_completion_tokens: 7,
      temperature: 0,
      top_p: 1,
      seed: -3,
      stop: 'x',
      reasoning_effort: 'low',
    })
    const params = { max_output_tokens: 7, temperature: 0, top_p: 1, seed: -3, stop: ['x'], reasoning_effort: 'low' }
    expect(parts('chat_completions', body).params).toEqual(params)
    expect(parts('chat_completions', chat({ max_tokens: 5 })).params).toEqual({ max_output_tokens: 5 })
  })

  it.each([
    ['json_object', { type: 'json_object' }, { type: 'object' }],
    ['text', { type: 'text' }, null],
    [
      'json_schema',
      { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object', properties: {} } } },
      { type: 'object', properties: {} },
    ],
    ['json_schema without one', { type: 'json_schema', json_schema: { name: 'n' } }, { type: 'object' }],
  ])('asks for %s', (_name, format, schema) => {
    expect(parts('chat_completions', chat({ response_format: format as Value })).schema).toEqual(schema)
  })

  it('may hold bounds in its schema that no double holds', () => {
    const text =
      '{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","maximum":9223372036854775807}}}'
    expect(parts('chat_completions', chat({ response_format: parseExact(text) })).schema).toEqual({
      type: 'object',
      maximum: 2 ** 63,
    })
  })

  it.each([
    ['n', 2],
    ['tools', [{ type: 'function' }]],
    ['logprobs', true],
    ['logit_bias', { 5: 1 }],
    ['presence_penalty', 0.5],
    ['modalities', ['text', 'audio']],
    ['web_search_options', {}],
    ['brand_new', 1],
  ])('is refused where it asks for %s', (name, value) => {
    expect(fault('chat_completions', chat({ [name]: value as Value }))).toMatchObject({
      code: 'unsupported_parameter',
      param: name,
    })
  })

  it.each([
    ['n', 1],
    ['tools', []],
    ['logprobs', false],
    ['logit_bias', {}],
    ['presence_penalty', 0],
    ['stream', false],
    ['user', 'u'],
    ['metadata', { a: 'b' }],
    ['prompt_cache_options', { mode: 'auto' }],
    ['function_call', 'none'],
    ['brand_new', null],
  ])('may say %s where that changes nothing', (name, value) => {
    expect(parts('chat_completions', chat({ [name]: value as Value })).messages).toHaveLength(1)
  })

  it.each<[string, { readonly [key: string]: Value }, string, string | null]>([
    ['no model', { model: null }, 'missing_required_parameter', 'model'],
    ['a model of no name', { model: 'a\0' }, 'invalid_value', 'model'],
    ['a model of too long a name', { model: 'm'.repeat(257) }, 'invalid_value', 'model'],
    ['a stream', { stream: true }, 'invalid_value', 'stream'],
    ['no messages', { messages: null }, 'missing_required_parameter', 'messages'],
    ['an empty list', { messages: [] }, 'invalid_type', 'messages'],
    [
      'a picture',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
      'unsupported_content',
      'messages[0].content[0]',
    ],
    ['a tool', { messages: [{ role: 'tool', content: 'x' }] }, 'invalid_value', 'messages[0].role'],
    [
      'a tool call',
      { messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] },
      'unsupported_parameter',
      'messages[0].tool_calls',
    ],
    ["the model's words last", { messages: [HELLO, { role: 'assistant', content: 'a' }] }, 'invalid_value', 'messages'],
    ['too much heat', { temperature: 3 }, 'invalid_value', 'temperature'],
    ['half a token', { max_tokens: 0.5 }, 'invalid_type', 'max_tokens'],
    [
      'a list as schema',
      { response_format: { type: 'json_schema', json_schema: { schema: { type: 'array' } } } },
      'invalid_json_schema',
      'response_format.json_schema.schema',
    ],
    ['a grammar', { response_format: { type: 'grammar' } }, 'invalid_value', 'response_format.type'],
  ])('is refused with %s', (_name, more, code, param) => {
    expect(fault('chat_completions', chat(more))).toMatchObject({ code, param })
  })
})

describe('a body of /v1/responses', () => {
  it.each([
    ['max_tool_calls', 3],
    ['include', []],
    ['truncation', 'disabled'],
    ['reasoning', { mode: 'standard', context: 'auto', summary: null }],
  ])('may say %s where that changes nothing', (name, value) => {
    expect(parts('responses', { model: 'm', input: 'Hello', [name]: value as Value }).params).toEqual({})
  })

  it('is a text with instructions', () => {
    const body = {
      model: 'm',
      input: 'Hello',
      instructions: 'Be kind.',
      max_output_tokens: 9,
      reasoning: { effort: 'high' },
    }
    expect(parts('responses', body)).toEqual({
      model: 'm',
      system: 'Be kind.',
      messages: [{ role: 'user', text: 'Hello' }],
      params: { max_output_tokens: 9, reasoning_effort: 'high' },
      schema: null,
    })
  })

  it('is a list of messages, and asks for JSON by its text format', () => {
    const input = [
      { role: 'developer', content: 'x' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'a' }] },
      {
        type: 'message',
        id: 'msg',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'b', annotations: [] }],
      },
      { role: 'user', content: 'c' },
    ]
    const text = { format: { type: 'json_schema', name: 'n', schema: { type: 'object' } } }
    const { system, messages, schema } = parts('responses', { model: 'm', input, text } as Value)
    expect(system).toBe('x')
    expect(messages.map((message) => message.text)).toEqual(['a', 'b', 'c'])
    expect(schema).toEqual({ type: 'object' })
  })

  it.each<[string, { readonly [key: string]: Value }, string, string]>([
    ['a stored prompt', { prompt: { id: 'p' } }, 'unsupported_parameter', 'prompt'],
    ['an earlier answer', { previous_response_id: 'r' }, 'unsupported_parameter', 'previous_response_id'],
    ['a call as input', { input: [{ type: 'function_call', name: 'f' }] }, 'unsupported_content', 'input[0].type'],
    ['a summary of its thoughts', { reasoning: { summary: 'auto' } }, 'unsupported_parameter', 'reasoning.summary'],
    [
      'a file',
      { input: [{ role: 'user', content: [{ type: 'input_file' }] }] },
      'unsupported_content',
      'input[0].content[0]',
    ],
  ])('is refused with %s', (_name, more, code, param) => {
    expect(fault('responses', { model: 'm', input: 'a', ...more })).toMatchObject({ code, param })
  })
})

describe('any body', () => {
  const kinds = fc.constantFrom<ChatKind>('chat_completions', 'responses')
  const json = fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<Value>

  it('is read or refused, and never throws', () => {
    fc.assert(
      fc.property(kinds, json, (kind, body) => {
        const reading = readChat(kind, body)
        expect(reading.ok ? reading.parts.messages.at(-1)?.role : reading.fault.code).toBeTruthy()
      }),
    )
  })

  it('keeps what was said, whatever it is', () => {
    const turn = fc.record({ role: fc.constantFrom('user', 'assistant'), content: fc.string({ unit: 'grapheme' }) })
    fc.assert(
      fc.property(fc.array(turn), fc.string(), (turns, last) => {
        const messages = [...turns, { role: 'user', content: last }]
        expect(parts('chat_completions', chat({ messages })).messages).toEqual(
          messages.map(({ role, content }) => ({ role, text: content })),
        )
      }),
    )
  })

  it('is refused for a part that nobody knows, wherever it stands', () => {
    const known = new Set(Object.keys(parts('chat_completions', chat())))
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (name) => {
        fc.pre(!known.has(name) && !(name in {}))
        expect(fault('chat_completions', chat({ [name]: 'on' })).param ?? '').not.toBe('')
      }),
    )
  })
})
