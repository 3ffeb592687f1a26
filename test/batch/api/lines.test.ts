import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BatchApi, ResultLine } from '../../../src/batch/batch-api.ts'
import type { Failure } from '../../../src/domain/failure.ts'
import { modelsOver } from '../../provider/replay.ts'
import { HAS_RECORDINGS, readFlow } from './recorded-flow.ts'
import { kindOf, scriptedApi } from './scripted.ts'

const apiOf = (id: string, base: string | null = null): BatchApi =>
  scriptedApi(kindOf(id, base), () => new Error('not asked')).api

const APIS: Readonly<Record<string, BatchApi>> = {
  openai: apiOf('openai/gpt-4.1-mini'),
  anthropic: apiOf('anthropic/claude-sonnet-4-5'),
  google: apiOf('google/gemini-2.5-flash'),
  mistral: apiOf('openai-compatible/mistral', 'https://api.mistral.ai/v1'),
}

const read = (api: string, line: unknown): ResultLine =>
  (APIS[api] as BatchApi).readLine(Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)))

/** A line on one line: whose it is, what it is, and what matters of that. */
function told({ id, result }: ResultLine): string {
  if (result.kind === 'reply') return `${id} reply ${result.status} ${result.body} ${result.requestId}`
  return `${id} ${result.kind} ${result.failure.cause}`
}

describe.each(Object.entries(APIS))('a line from %s', (name, api) => {
  const isSound = ({ id, result }: ResultLine) => {
    expect(id === null || typeof id === 'string').toBe(true)
    if (result.kind !== 'reply') return void expect(result.failure.message).not.toBe('')
    expect(Number.isInteger(result.status) && result.status >= 100 && result.status <= 599).toBe(true)
    expect(() => JSON.parse(result.body) as unknown).not.toThrow()
  }

  it('is read whatever bytes it holds', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => isSound(api.readLine(Buffer.from(bytes)))))
  })

  it('is read whatever JSON it holds, also where its own words stand', () => {
    const word = fc.constantFrom(
      'custom_id',
      'key',
      'response',
      'error',
      'result',
      'status_code',
      'body',
      'code',
      'type',
      'message',
      'metadata',
      'status',
      'request_id',
    )
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), word, fc.integer(), fc.dictionary(word, tie('any'))),
    })).any
    fc.assert(
      fc.property(fc.dictionary(word, value), (line) => isSound(api.readLine(Buffer.from(JSON.stringify(line))))),
      { numRuns: 500 },
    )
  })

  it.skipIf(!HAS_RECORDINGS)(
    `is never half read: cut anywhere it is bad, and only it${HAS_RECORDINGS ? '' : ' (skipped: ../shared/data/recordings is not here)'}`,
    () => {
      if (name !== 'openai' && name !== 'anthropic') return
      const flow = readFlow(`curator-${name}-basic-batch-completion`)
      const line = Buffer.from(flow.at(-1)?.response.body.split('\n')[0] ?? '')
      expect(api.readLine(line).result.kind).toBe('reply')
      for (let end = 1; end < line.length; end += 7) expect(api.readLine(line.subarray(0, end)).result.kind).toBe('bad')
    },
  )
})

/** What becomes of a line in the end: the failure that the row is settled with, `-` before one that is never asked again. */
async function settledAs(id: string, base: string | null, line: unknown): Promise<string> {
  const { result } = apiOf(id, base).readLine(Buffer.from(JSON.stringify(line)))
  const verdict = ({ cause, retryable }: Failure) => `${retryable ? '' : '-'}${cause}`
  if (result.kind !== 'reply') return verdict(result.failure)
  const target = { id, baseUrl: base, apiKeyEnv: null, params: {} }
  const model = modelsOver(() => Promise.reject(new Error('sent'))).open(target)
  const request = { target, system: null, messages: [{ role: 'user' as const, text: '?' }], schema: null }
  const completion = await model.decode(request, { ...result, schemaLevel: null })
  return completion.ok ? completion.finish : verdict(completion.failure)
}

describe('an error of a request within a batch, with or without a status, is judged as live:', () => {
  const openai = (response: unknown, error: unknown = null) => ({ custom_id: 'a', response, error })
  const anthropic = (type: string, message = 'x') => ({
    custom_id: 'a',
    result: { type: 'errored', error: { type: 'error', error: { type, message } } },
  })
  const google = (code: number, message = 'x') => ({ key: 'a', error: { code, message } })
  const bad = (status_code: number, error: object) => openai({ status_code, request_id: 'r', body: { error } })

  it.each([
    ['openai/gpt-4.1-mini', bad(400, { message: 'no', code: 'invalid_value' }), '-provider_error'],
    ['openai/gpt-4.1-mini', bad(400, { message: 'x', code: 'context_length_exceeded' }), '-context_too_long'],
    ['openai/gpt-4.1-mini', bad(429, { message: 'x', code: 'rate_limit_exceeded' }), 'rate_limited'],
    ['openai/gpt-4.1-mini', bad(429, { message: 'x', code: 'insufficient_quota' }), 'quota_exhausted'],
    ['openai/gpt-4.1-mini', bad(500, { message: 'x', type: 'server_error' }), 'provider_error'],
    ['openai/gpt-4.1-mini', openai(null, { code: 'request_timeout', message: 'x' }), 'timeout'],
    ['openai/gpt-4.1-mini', openai(null, { code: 'server_error', message: 'x' }), 'provider_error'],
    ['openai/gpt-4.1-mini', openai(null, { code: 'odd', message: 'x' }), 'provider_error'],
    ['openai/gpt-4.1-mini', openai(null, { code: 'batch_expired', message: 'x' }), 'batch_expired'],
    [
      'openai-responses/gpt-5-mini',
      openai({
        status_code: 200,
        body: {
          id: 'resp',
          object: 'response',
          created_at: 1,
          model: 'm',
          status: 'failed',
          error: { code: 'server_error', message: 'x' },
          output: [],
        },
      }),
      'provider_error',
    ],
    [
      'anthropic/claude-sonnet-4-5',
      anthropic('invalid_request_error', 'prompt is too long: 3 > 2'),
      '-context_too_long',
    ],
    ['anthropic/claude-sonnet-4-5', anthropic('invalid_request_error'), '-provider_error'],
    ['anthropic/claude-sonnet-4-5', anthropic('overloaded_error'), 'overloaded'],
    ['anthropic/claude-sonnet-4-5', anthropic('api_error'), 'provider_error'],
    ['anthropic/claude-sonnet-4-5', anthropic('permission_error'), 'credentials'],
    ['google/gemini-2.5-flash', google(3), '-provider_error'],
    ['google/gemini-2.5-flash', google(8), 'rate_limited'],
    ['google/gemini-2.5-flash', google(13), 'provider_error'],
    ['google/gemini-2.5-flash', google(14, 'The model is overloaded.'), 'overloaded'],
    ['google/gemini-2.5-flash', google(4), 'timeout'],
    ['google/gemini-2.5-flash', google(7), 'credentials'],
  ])('%s %j is %s', async (id, line, verdict) => {
    expect(await settledAs(id, null, line)).toBe(verdict)
  })

  it('Mistral’s too', async () => {
    const base = 'https://api.mistral.ai/v1'
    expect(
      await settledAs('openai-compatible/m', base, openai({ status_code: 422, body: { detail: [{ msg: 'bad' }] } })),
    ).toBe('-provider_error')
    expect(await settledAs('openai-compatible/m', base, { custom_id: 'a', error: 'Internal error' })).toBe(
      'provider_error',
    )
  })
})

describe('a line of OpenAI’s files', () => {
  const body = { id: 'chatcmpl-1' }
  it.each([
    [
      'an answer',
      { custom_id: 'a', response: { status_code: 200, request_id: 'r', body }, error: null },
      'a reply 200 {"id":"chatcmpl-1"} r',
    ],
    [
      'an error of the request',
      { custom_id: 'a', response: { status_code: 400, body: { error: { message: 'no' } } } },
      'a reply 400 {"error":{"message":"no"}} null',
    ],
    [
      'the end of its time',
      { custom_id: 'a', response: null, error: { code: 'batch_expired', message: 'x' } },
      'a none batch_expired',
    ],
    [
      'a cancelled batch',
      { custom_id: 'a', response: null, error: { code: 'batch_cancelled', message: 'x' } },
      'a none cancelled',
    ],
    [
      'an error without a reply',
      { custom_id: 'a', response: null, error: { code: 'server_error', message: 'x' } },
      'a none provider_error',
    ],
    [
      'a status of 0',
      { custom_id: 'a', response: { status_code: 0, body: null }, error: null },
      'a bad provider_error',
    ],
    ['neither', { custom_id: 'a', response: null, error: null }, 'a bad provider_error'],
    ['nobody’s answer', { response: { status_code: 200, body } }, 'null reply 200 {"id":"chatcmpl-1"} null'],
  ])('with %s', (_what, line, expected) => {
    expect(told(read('openai', line))).toBe(expected)
  })

  it('of Mistral’s may have a text for an error', () => {
    expect(told(read('mistral', { custom_id: 'a', error: 'Internal error' }))).toBe('a none provider_error')
    expect(told(read('mistral', { custom_id: 'a', response: { status_code: 422, body: '{"detail":"x"}' } }))).toBe(
      'a reply 422 {"detail":"x"} null',
    )
  })
})

describe('a line of Anthropic’s results', () => {
  const errored = (type: string) => ({
    custom_id: 'a',
    result: { type: 'errored', error: { type: 'error', error: { type, message: 'x' }, request_id: 'r' } },
  })
  it.each([
    ['invalid_request_error', 400],
    ['authentication_error', 401],
    ['permission_error', 403],
    ['not_found_error', 404],
    ['request_too_large', 413],
    ['rate_limit_error', 429],
    ['api_error', 500],
    ['timeout_error', 504],
    ['overloaded_error', 529],
    ['an error of next year', 500],
  ])('with %s has the status of the live API', (type, status) => {
    const inner = `{"type":"error","error":{"type":"${type}","message":"x"},"request_id":"r"}`
    expect(told(read('anthropic', errored(type)))).toBe(`a reply ${status} ${inner} r`)
  })

  it('may hold an answer, or say that there is none', () => {
    expect(told(read('anthropic', { custom_id: 'a', result: { type: 'succeeded', message: { id: 'msg' } } }))).toBe(
      'a reply 200 {"id":"msg"} null',
    )
    expect(told(read('anthropic', { custom_id: 'a', result: { type: 'expired' } }))).toBe('a none batch_expired')
    expect(told(read('anthropic', { custom_id: 'a', result: { type: 'canceled' } }))).toBe('a none cancelled')
    expect(told(read('anthropic', { custom_id: 'a', result: { type: 'succeeded' } }))).toBe('a bad provider_error')
    expect(told(read('anthropic', { custom_id: 'a' }))).toBe('a bad provider_error')
  })
})

describe('a line of Gemini’s results', () => {
  it.each([
    ['3', 3, 400, 'INVALID_ARGUMENT'],
    ['4', 4, 504, 'DEADLINE_EXCEEDED'],
    ['5', 5, 404, 'NOT_FOUND'],
    ['7', 7, 403, 'PERMISSION_DENIED'],
    ['8', '8', 429, 'RESOURCE_EXHAUSTED'],
    ['10', 10, 409, 'ABORTED'],
    ['13', 13, 500, 'INTERNAL'],
    ['14', 14, 503, 'UNAVAILABLE'],
    ['16', 16, 401, 'UNAUTHENTICATED'],
    ['a number of next year', 99, 500, 'UNKNOWN'],
  ])('with the code %s is put as the live API would', (_what, code, status, name) => {
    const error = `{"error":{"code":${status},"message":"x","status":"${name}"}}`
    expect(told(read('google', { key: 'a', error: { code, message: 'x' } }))).toBe(`a reply ${status} ${error} null`)
  })

  it('may hold an answer, from a file or from within the batch, or HTTP’s own number', () => {
    expect(told(read('google', { key: 'a', response: { responseId: 'r' } }))).toBe('a reply 200 {"responseId":"r"} r')
    expect(told(read('google', { metadata: { key: 'a' }, response: {} }))).toBe('a reply 200 {} null')
    expect(told(read('google', { key: 'a', error: { code: 503, message: 'x', status: 'UNAVAILABLE' } }))).toBe(
      'a reply 503 {"error":{"code":503,"message":"x","status":"UNAVAILABLE"}} null',
    )
    expect(told(read('google', { key: 'a', error: { code: 1, message: 'x' } }))).toBe('a none cancelled')
    expect(told(read('google', { key: 'a', status: { code: 13, message: 'x' } }))).toContain('a reply 500')
    expect(told(read('google', { key: 'a' }))).toBe('a bad provider_error')
  })
})
