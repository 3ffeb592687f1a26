import { describe, expect, it } from 'vitest'
import { createBatchApis } from '../../../src/batch/apis.ts'
import { SluiceError } from '../../../src/errors.ts'
import { manualRuntime } from '../../support/manual-runtime.ts'
import { KEY, kindOf, LINES, NEVER, offerOf, type Scripted, scriptedApi, scriptedHttp } from './scripted.ts'

const KIND = kindOf('openai/gpt-4.1-mini')
const network = (code: string) => Object.assign(new Error(code), { code })
const created = (answer: Scripted, kind = KIND) =>
  scriptedApi(kind, () => answer).api.create(offerOf(kind, LINES), 'f', NEVER)

describe('to create a batch is answered', () => {
  it.each([
    [
      'a bad request',
      { status: 400, body: { error: { message: 'no', code: 'invalid_request' } } },
      'provider_error',
      false,
    ],
    ['a wrong key', { status: 401, body: { error: { message: 'no', code: 'invalid_api_key' } } }, 'credentials', false],
    [
      'an empty account',
      { status: 429, body: { error: { message: 'no', code: 'insufficient_quota' } } },
      'quota_exhausted',
      false,
    ],
    [
      'too many batches this hour',
      { status: 429, body: { error: { message: 'slow down', code: 'rate_limit_exceeded' } } },
      'rate_limited',
      true,
    ],
    ['a redirect', { status: 307, headers: { location: 'https://elsewhere.example' } }, 'provider_error', false],
    ['nobody there', network('ECONNREFUSED'), 'connection', false],
    ['no such host', network('ENOTFOUND'), 'connection', false],
    ['a certificate that is not theirs', network('ERR_TLS_CERT_ALTNAME_INVALID'), 'connection', false],
  ] as const)('by %s: nothing was made', async (_what, answer, cause, queueFull) => {
    expect(await created(answer as Scripted)).toMatchObject({ is: 'refused', queueFull, failure: { cause } })
  })

  it.each([
    ['a gateway', { status: 502, body: '<html>Bad Gateway</html>' }, 'provider_error'],
    ['a gateway that waited', { status: 504, body: '' }, 'timeout'],
    ['a server’s error', { status: 500, body: { error: { message: 'oops', type: 'server_error' } } }, 'provider_error'],
    ['a server that is busy, or says so', { status: 503, body: '' }, 'overloaded'],
    ['a request that came too slowly', { status: 408, body: '' }, 'timeout'],
    ['a broken connection', network('ECONNRESET'), 'connection'],
    ['silence', network('SILENCE'), 'timeout'],
    ['half an answer', { status: 200, body: '{"id":"batch_1","sta' }, 'provider_error'],
    ['another answer', { status: 200, body: { hello: 'world' } }, 'provider_error'],
  ] as const)('by %s: nobody knows', async (_what, answer, cause) => {
    expect(await created(answer as Scripted)).toMatchObject({ is: 'unknown', failure: { cause } })
  })

  it('by Anthropic’s 529: nothing was made', async () => {
    const body = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    const answer = await created({ status: 529, body }, kindOf('anthropic/claude-sonnet-4-5'))
    expect(answer).toMatchObject({ is: 'refused', queueFull: false, failure: { cause: 'overloaded' } })
  })

  it('with a wait that is asked for, and never with the key', async () => {
    const answer = await created({
      status: 429,
      headers: { 'retry-after': '7' },
      body: { error: { message: `key ${KEY}`, code: 'rate_limit_exceeded' } },
    })
    expect(answer).toMatchObject({ failure: { retryAfterMs: 7000 } })
    expect(JSON.stringify(answer)).not.toContain(KEY)
  })

  it('by nothing, where it was given up: nobody knows', async () => {
    const leaving = new AbortController()
    const { api } = scriptedApi(KIND, () => {
      leaving.abort(new Error('enough'))
      return new Error('enough')
    })
    expect(await api.create(offerOf(KIND, LINES), 'f', leaving.signal)).toMatchObject({
      is: 'unknown',
      failure: { cause: 'cancelled' },
    })
  })
})

it('requests that cannot be read are no answer of a provider’s', async () => {
  const { api } = scriptedApi(KIND, () => ({ body: { id: 'file-1' } }))
  let reads = 0
  const offer = {
    ...offerOf(KIND, LINES),
    async *lines() {
      reads += 1
      yield LINES[0] as (typeof LINES)[0]
      if (reads === 2) throw new Error('the blob is gone')
      yield LINES[1] as (typeof LINES)[0]
    },
  }
  await expect(api.upload(offer, NEVER)).rejects.toThrow('the blob is gone')
  expect(reads).toBe(2)
})

it('a request adds no more to an upload than is said, whatever its id', async () => {
  const kinds = [
    kindOf('openai/gpt-4.1-mini'),
    kindOf('openai-responses/gpt-5-mini'),
    kindOf('anthropic/claude-sonnet-4-5'),
    kindOf('google/gemini-2.5-flash'),
    kindOf('openai-compatible/mistral-small-latest', 'https://api.mistral.ai/v1'),
  ]
  for (const kind of kinds) {
    const uploaded = async (count: number) => {
      const lines = Array.from({ length: count }, (_, n) => ({ id: `${n}`.padStart(64, 'x'), body: '{"contents":[]}' }))
      const headers = { 'x-goog-upload-url': 'https://upload.example/1' }
      const { api, seen } = scriptedApi(kind, () => ({ headers, body: { id: 'f', file: { name: 'f' } } }))
      await api.upload(offerOf(kind, lines), NEVER)
      await api.create(offerOf(kind, lines), 'f', NEVER)
      return { bytes: Math.max(...seen.map(({ body }) => Buffer.byteLength(body))), most: api.lineBytes }
    }
    const [few, many] = [await uploaded(10), await uploaded(110)]
    const added = (many.bytes - few.bytes) / 100 - Buffer.byteLength('{"contents":[]}')
    expect(added, kind.target.id).toBeLessThanOrEqual(many.most)
    expect(added, kind.target.id).toBeGreaterThan(many.most / 2)
  }
})

describe('which API is opened', () => {
  const apis = (env: (name: string) => string | undefined = () => KEY) =>
    createBatchApis({ env, runtime: manualRuntime(), http: scriptedHttp(() => ({})) })
  const open = (id: string, baseUrl: string | null = null) => apis().open(kindOf(id, baseUrl))

  it('goes by the provider', () => {
    expect(open('openai/gpt-4.1-mini').size).toEqual({ requests: 50_000, bytes: 195_000_000 })
    expect(open('anthropic/claude-sonnet-4-5')).toMatchObject({
      namesShards: false,
      size: { requests: 100_000, bytes: 250_000_000 },
    })
    expect(open('google/gemini-2.5-flash').size).toEqual({ requests: 5000, bytes: 1_000_000_000 })
    for (const base of ['https://api.mistral.ai/v1', 'http://127.0.0.1:4778/mistral/v1'])
      expect(open('openai-compatible/mistral-small-latest', base).size).toEqual({
        requests: 100_000,
        bytes: 500_000_000,
      })
  })

  it('is none for a provider that has none, without a key, and without a simulator', () => {
    const code = (act: () => unknown) => {
      try {
        return act()
      } catch (error) {
        return error instanceof SluiceError ? [error.code, error.message] : error
      }
    }
    expect(code(() => open('openai-compatible/grok', 'https://api.x.ai/v1'))).toEqual([
      'spec_invalid',
      'openai-compatible/grok has no batch API that sluice knows',
    ])
    expect(code(() => apis(() => undefined).open(kindOf('openai/gpt-4.1-mini')))).toEqual([
      'credentials_missing',
      expect.stringContaining('OPENAI_API_KEY'),
    ])
    const inProcess = {
      ...kindOf('openai/gpt-4.1-mini'),
      target: { id: 'simulator/any', baseUrl: null, apiKeyEnv: null },
    }
    expect(code(() => apis().open(inProcess))).toEqual(['spec_invalid', 'there is no simulator in this process'])
  })

  it('speaks to a simulator in this process', async () => {
    const urls: string[] = []
    const fetch = async (url: string) => {
      urls.push(url)
      return new Response('{"id":"batch_1","status":"validating"}')
    }
    const target = { id: 'simulator/any', baseUrl: null, apiKeyEnv: null }
    const kind = { ...kindOf('openai/gpt-4.1-mini'), target, url: 'http://simulator.invalid/v1/chat/completions' }
    const made = createBatchApis({
      env: () => undefined,
      runtime: manualRuntime(),
      http: scriptedHttp(() => new Error('outside')),
      simulator: { fetch },
    })
    expect(await made.open(kind).poll('batch_1', NEVER)).toMatchObject({ is: 'said', value: { phase: 'validating' } })
    expect(urls).toEqual(['http://simulator.invalid/v1/batches/batch_1'])
  })
})
