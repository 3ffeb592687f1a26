import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readOpenAiLine } from '../../src/batch/openai-line.ts'
import { errorLine, outputLine } from '../../src/chat/result-line.ts'
import { failure } from '../../src/domain/failure.ts'

const request = {
  customId: 'a',
  token: 'ff',
  model: 'm',
  usage: { inputTokens: 3, cachedInputTokens: 2, cacheWriteTokens: 1, outputTokens: 4, reasoningTokens: 3 },
  createdAt: 1_700_000_000,
  answer: 'Hi',
  finish_reason: 'stop',
  refusal: null,
} as const

const call = { failureIn: () => failure('provider_error', 'as told') }
const parse = (text: string) => JSON.parse(text)

describe('a line of the output file', () => {
  it('is what chat completions would have answered', () => {
    const { custom_id, response, error } = parse(outputLine('chat_completions', request))
    expect({ custom_id, status: response.status_code, error }).toEqual({ custom_id: 'a', status: 200, error: null })
    expect(response.body).toMatchObject({
      object: 'chat.completion',
      model: 'm',
      choices: [{ message: { role: 'assistant', content: 'Hi', refusal: null }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 4,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 1 },
        completion_tokens_details: { reasoning_tokens: 3 },
      },
    })
  })

  it('is what responses would have answered', () => {
    const { body } = parse(outputLine('responses', request)).response
    expect(body).toMatchObject({
      object: 'response',
      status: 'completed',
      output: [{ content: [{ type: 'output_text', text: 'Hi' }] }],
      usage: {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 1 },
        output_tokens: 4,
        output_tokens_details: { reasoning_tokens: 3 },
        total_tokens: 7,
      },
    })
    const cut = parse(outputLine('responses', { ...request, finish_reason: 'length' })).response.body
    expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  })

  it('tells a refusal as one', () => {
    const refused = { ...request, answer: null, refusal: 'No.' }
    expect(parse(outputLine('chat_completions', refused)).response.body.choices[0].message).toMatchObject({
      content: null,
      refusal: 'No.',
    })
    expect(parse(outputLine('responses', refused)).response.body.output[0].content).toEqual([
      { type: 'refusal', refusal: 'No.' },
    ])
  })

  it('is one line, and reads back as our own reader of such files reads it, whatever was answered', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 1 }), (answer, customId) => {
        const text = outputLine('chat_completions', { ...request, answer, customId })
        expect(text.indexOf('\n')).toBe(text.length - 1)
        const { id, result } = readOpenAiLine(Buffer.from(text.trim()), call)
        expect(id).toBe(customId)
        expect(result.kind === 'reply' && JSON.parse(result.body).choices[0].message.content).toBe(answer)
      }),
    )
  })
})

describe('a line of the error file', () => {
  it.each([
    ['batch_expired', 'batch_expired'],
    ['batch_cancelled', 'cancelled'],
  ])('%s is understood by those who know OpenAI', (code, cause) => {
    const { id, result } = readOpenAiLine(
      Buffer.from(errorLine({ customId: 'a', token: 'ff', code, message: 'm' })),
      call,
    )
    expect(id).toBe('a')
    expect(result.kind === 'none' && result.failure.cause).toBe(cause)
  })
})
