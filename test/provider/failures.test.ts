import { describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import type { Failure } from '../../src/domain/failure.ts'
import type { WireReply } from '../../src/provider/wire.ts'
import { REFUSALS } from './refusals.ts'
import { ask, replyOf } from './replay.ts'

function failureOf(completion: Completion): Failure {
  if (completion.ok) throw new Error(`expected a failure, got the answer ${completion.text}`)
  return completion.failure
}

describe('a reply that is no answer has the cause that its words give it', () => {
  it.each(REFUSALS)('%s (%s)', async (_what, api, status, body, expected) => {
    const { cause, retryable } = failureOf(await ask(`${api}/m`, replyOf(status, body)))
    expect(`${retryable ? '' : '-'}${cause}`).toBe(expected)
  })

  it('and says so in one short line', async () => {
    const page = failureOf(await ask('openai-chat/m', replyOf(502, '<html><title>502 Bad Gateway</title></html>')))
    expect(page).toMatchObject({ status: 502, message: 'HTTP 502: a web page, “502 Bad Gateway”' })
    const redirect = replyOf(301, '', { location: 'https://api.example.com/v1?key=s3cret' })
    expect(failureOf(await ask('openai-chat/m', redirect))).toMatchObject({
      cause: 'provider_error',
      retryable: false,
      message: 'redirected to https://api.example.com; set model.base_url to the final address',
    })
  })
})

describe('answers that the AI SDK reads in another way, or not at all', () => {
  it('keeps an answer whose details do not fit the SDK’s schema', async () => {
    const body = {
      model: 'm',
      choices: [
        { message: { role: 'assistant', content: 'paid for', annotations: [{ type: 'odd' }] }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    }
    const completion = await ask('openai-chat/m', replyOf(200, body))
    expect(completion).toMatchObject({
      ok: true,
      text: 'paid for',
      finish: 'stop',
      usage: { inputTokens: 3, outputTokens: 2 },
    })
  })

  it('tells a refusal from a filter', async () => {
    const message = {
      type: 'message',
      id: 'm',
      model: 'c',
      role: 'assistant',
      content: [{ type: 'text', text: 'No.' }],
      usage: { input_tokens: 1, output_tokens: 1 },
    }
    expect(await ask('anthropic/c', replyOf(200, { ...message, stop_reason: 'refusal' }))).toMatchObject({
      ok: true,
      finish: 'refusal',
      text: 'No.',
    })
    const blocked = { candidates: [{ finishReason: 'SAFETY' }], usageMetadata: { promptTokenCount: 4 } }
    expect(await ask('google/g', replyOf(200, blocked))).toMatchObject({
      ok: true,
      finish: 'content_filter',
      usage: { inputTokens: 4 },
    })
    const refused = {
      id: 'r',
      created_at: 1,
      model: 'm',
      status: 'completed',
      output: [{ type: 'message', role: 'assistant', id: 'x', content: [{ type: 'refusal', refusal: 'I will not.' }] }],
    }
    expect(await ask('openai-responses/m', replyOf(200, refused))).toMatchObject({
      ok: true,
      finish: 'refusal',
      text: 'I will not.',
    })
  })

  it('leaves reasoning out of the text', async () => {
    const body = {
      candidates: [
        { content: { role: 'model', parts: [{ text: 'hm', thought: true }, { text: 'yes' }] }, finishReason: 'STOP' },
      ],
    }
    expect(await ask('google/g', replyOf(200, body))).toMatchObject({ ok: true, text: 'yes', usage: null })
  })

  it('adds up what Gemini charged for an answer that it continued', async () => {
    const part = (text: string, more: object) => ({
      candidates: [{ content: { role: 'model', parts: [{ text }] }, ...more }],
      usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5 },
    })
    const replies = [
      part('one ', { finishReason: 'CONTINUATION', continuationToken: 't' }),
      part('two', { finishReason: 'STOP' }),
    ]
    const completion = await ask('google/g', async () => replyOf(200, replies.shift()))
    expect(completion).toMatchObject({ ok: true, text: 'one two', usage: { inputTokens: 20, outputTokens: 10 } })
    const broken = [
      replyOf(200, part('one ', { finishReason: 'CONTINUATION', continuationToken: 't' })),
      replyOf(503, ''),
    ]
    const failed = await ask('google/g', async () => broken.shift() as WireReply)
    expect(failed).toMatchObject({
      ok: false,
      failure: { cause: 'overloaded' },
      usage: { inputTokens: 10, outputTokens: 5 },
    })
  })
})

describe('what the network throws', () => {
  const thrown = (error: Error) => ask('openai-chat/m', () => Promise.reject(error))

  it.each([
    ['ECONNREFUSED', 'connection', true],
    ['ECONNRESET', 'connection', true],
    ['ENOTFOUND', 'connection', true],
    ['UND_ERR_SOCKET', 'connection', true],
    ['UND_ERR_CONNECT_TIMEOUT', 'connection', true],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'connection', true],
    ['HPE_INVALID_CONSTANT', 'connection', true],
    ['Z_DATA_ERROR', 'connection', true],
    ['UND_ERR_BODY_TIMEOUT', 'timeout', true],
    ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'provider_error', false],
  ] as const)('%s is %s', async (code, cause, retryable) => {
    const failure = failureOf(await thrown(Object.assign(new Error('a word of the runtime'), { code })))
    expect(failure).toMatchObject({ cause, retryable, providerCode: code, status: null })
  })

  it('looks behind a failed fetch and an aggregate', async () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    expect(failureOf(await thrown(new TypeError('fetch failed', { cause: reset })))).toMatchObject({
      providerCode: 'ECONNRESET',
    })
    expect(failureOf(await thrown(new AggregateError([reset])))).toMatchObject({ providerCode: 'ECONNRESET' })
  })
})
