import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { readServeConfig, type ServeSources } from '../../src/serve-config/read.ts'
import { sizeBytes } from '../../src/serve-config/size.ts'
import { PLAIN_VALUES } from '../../src/serve-config/variables.ts'

const NOTHING: ServeSources = { file: null, env: () => undefined, flags: {} }

const from = (text: string | null, env: Readonly<Record<string, string>> = {}, flags: ServeSources['flags'] = {}) =>
  readServeConfig({ file: text === null ? null : { name: 'serve.yaml', text }, env: (name) => env[name], flags })

/** Every error as `place message`. */
function errorsOf(text: string | null, env: Readonly<Record<string, string>> = {}, flags: ServeSources['flags'] = {}) {
  try {
    from(text, env, flags)
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    expect(error.code).toBe('config_invalid')
    return error.findings.map(({ place, message }) => {
      const { file, line, column } = place ?? { file: '', line: null, column: null }
      return `${[file, line, column].filter((part) => part !== null).join(':')} ${message}`
    })
  }
  throw new Error('nothing was refused')
}

describe('readServeConfig', () => {
  it('listens on this machine and allows nothing where nothing is said', () => {
    const config = readServeConfig(NOTHING)
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 4777,
      publicUrl: null,
      jwt: null,
      work: { chunks: 5, concurrency: null },
      drainMs: 30_000,
      allowance: { defaultModel: null, models: {}, env: [], baseUrls: [], keyEnvs: [], inputs: [], writes: [] },
      telemetry: { rowLines: false, tracesUrl: null, metricsTokenEnv: null, tenants: false },
    })
    expect(config.limits).toMatchObject({ bodyBytes: 2_000_000, uploadBytes: 5_000_000_000, queryMs: 10_000 })
    expect(Object.isFrozen(config.limits) && Object.isFrozen(config.allowance.models)).toBe(true)
  })

  it('reads a file with everything in it', () => {
    const config = from(
      `host: 0.0.0.0
port: 80
public_url: https://sluice.example.com/batch/
default_model: { provider: openai-compatible, base_url: http://vllm:8000/v1, api_key_env: VLLM_KEY }
models:
  fast: openai/gpt-5-mini
  local: { id: openai-compatible/llama, base_url: http://llama:8080/v1, price: { input: "0.1", output: "0.4" } }
allow:
  env: [HOOK_URL]
  base_urls: [https://api.groq.com/]
  key_envs: [GROQ_API_KEY]
  inputs: [s3://in/]
  writes: [s3://out/results/]
jwt: { secret_env: JWT_SECRET, issuer: me, tenant_claim: org, default_scopes: [read] }
limits: { body: 500kB, upload: 1.5GB, query: 2s, connections: 100 }
work: { chunks: 2, concurrency: 8 }
drain: 1m
telemetry: { row_lines: true, traces_url: "http://otel:4318/v1/traces", trace_share: 0.5, tenants: true }
`,
      { JWT_SECRET: 'x'.repeat(32) },
    )
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 80,
      publicUrl: 'https://sluice.example.com/batch',
      jwt: { secretEnv: 'JWT_SECRET', jwksUrl: null, tenantClaim: 'org', scopeClaim: 'scope', defaultScopes: ['read'] },
      limits: { bodyBytes: 500_000, uploadBytes: 1_500_000_000, queryMs: 2_000, connections: 100 },
      work: { chunks: 2, concurrency: 8 },
      drainMs: 60_000,
      telemetry: { rowLines: true, tracesUrl: 'http://otel:4318/v1/traces', traceShare: 0.5, tenants: true },
    })
    expect(config.allowance).toEqual({
      defaultModel: { id: 'openai-compatible', baseUrl: 'http://vllm:8000/v1', apiKeyEnv: 'VLLM_KEY' },
      models: {
        fast: { id: 'openai/gpt-5-mini', baseUrl: null, apiKeyEnv: null },
        local: {
          id: 'openai-compatible/llama',
          baseUrl: 'http://llama:8080/v1',
          apiKeyEnv: null,
          price: { input: '0.1', output: '0.4', cachedInput: null },
        },
      },
      env: ['HOOK_URL'],
      baseUrls: ['https://api.groq.com/'],
      keyEnvs: ['GROQ_API_KEY'],
      inputs: ['s3://in/'],
      writes: ['s3://out/results/'],
      unpackedBytes: 20_000_000_000,
    })
  })

  it('keeps the names of the variables by which the ends of OpenAI batches are told', () => {
    const notify = `openai_notify: { webhook: "\${HOOK_URL}", secret_env: HOOK_SECRET }`
    const env = { HOOK_URL: 'https://hooks.example/T0/secret', HOOK_SECRET: 'whsec_x' }
    const config = from(notify, env)
    const target = { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: 'HOOK_SECRET' }
    expect(config.openAiNotify).toEqual({ others: target, tenants: {} })
    expect(from('port: 1').openAiNotify).toEqual({ others: null, tenants: {} })
    const own = from('openai_notify: { tenants: { search: { webhook: "https://hooks.example/a" } } }').openAiNotify
    const address = { url: 'https://hooks.example/a' }
    expect(own).toEqual({ others: null, tenants: { search: { kind: 'webhook', address, secretEnv: null } } })
    expect(errorsOf(notify)).toEqual([
      'serve.yaml:1:27 the variable HOOK_URL is not set',
      'serve.yaml:1:54 the variable HOOK_SECRET is not set',
    ])
    expect(errorsOf('openai_notify: { webhook: ftp://hooks.example }')[0]).toContain('is no address of the web')
    expect(errorsOf('openai_notify: { tenants: { a: { webhook: ftp://b.example } } }')[0]).toContain(
      'openai_notify.tenants.a.webhook is no address of the web',
    )
    expect(errorsOf('openai_notify: { secret_env: HOOK_SECRET }', env)[0]).toContain('signs what goes nowhere')
    expect(errorsOf('openai_notify: { tenants: { a: {} } }')[0]).toContain('webhook')
  })

  it('lets variables win over the file, and flags over variables', () => {
    const env = { SLUICE_SERVE_PORT: '81', SLUICE_SERVE_HOST: '127.0.0.2', SLUICE_SERVE_LIMITS_BODY: '1MB' }
    const config = from('{ port: 80, host: 127.0.0.3, drain: 5s }', env, { port: 0 })
    expect(config).toMatchObject({ port: 0, host: '127.0.0.2', drainMs: 5_000, limits: { bodyBytes: 1_000_000 } })
    const more = { SLUICE_SERVE_ALLOW_ENV: 'A, B', SLUICE_SERVE_TELEMETRY_ROW_LINES: 'true' }
    expect(from(null, more)).toMatchObject({ allowance: { env: ['A', 'B'] }, telemetry: { rowLines: true } })
  })

  it('leaves jobs to workers by file, variable or flag', () => {
    expect(from('work: false').work).toBeNull()
    expect(from(null, { SLUICE_SERVE_WORK: 'false' }).work).toBeNull()
    expect(from('work: { chunks: 2 }', {}, { work: false }).work).toBeNull()
    expect(from(null, { SLUICE_SERVE_WORK_CHUNKS: '3' }).work).toEqual({ chunks: 3, concurrency: null })
  })

  it('takes what is null or left empty for what is not there', () => {
    expect(from('port: null\njwt:\nlimits:\n')).toEqual(from(null))
    expect(from('')).toEqual(from(null))
  })

  it.each([
    ['prt: 80', 'serve.yaml:1:1 unknown key "prt"'],
    ['host: x\nport: 99999', 'serve.yaml:2:7 port must be a whole number from 0 to 65535, got 99999'],
    ['limits:\n  body: huge', 'serve.yaml:2:9 limits.body must be a size such as 500kB, 64MB or 5GB, got "huge"'],
    ['limits: { boddy: 1 }', 'serve.yaml:1:11 unknown key "boddy" in limits'],
    ['drain: soon', 'serve.yaml:1:8 drain must be a duration such as 500ms, 60s, 2m or 24h, got "soon"'],
    [
      'models:\n  a: gpt-5',
      'serve.yaml:2:6 models.a must be provider/model, or a mapping with id, base_url, api_key_env and price, got "gpt-5"',
    ],
    ['jwt: { issuer: a }', 'serve.yaml:1:6 jwt has neither secret_env nor jwks_url'],
    ['jwt: { secret_env: NOT_SET }', 'serve.yaml:1:20 the variable NOT_SET is not set'],
    ['jwt: { secret_env: SHORT }', 'serve.yaml:1:20 the secret in SHORT has fewer than 32 characters'],
    ['default_model: { provider: openai-compatible }', 'serve.yaml:1:16 default_model has no base_url'],
    [
      'allow: { base_urls: ["https://api.groq.com"] }',
      'serve.yaml:1:22 allow.base_urls[0] is a prefix that ends within a host',
    ],
    [
      'allow: { inputs: ["s3://bucket"] }',
      'serve.yaml:1:19 allow.inputs[0] must be object storage, with a slash after the bucket',
    ],
    ['- a', 'serve.yaml:1:1 the file holds no mapping'],
    ['port: 1\nport: 2', 'serve.yaml:2:1 the key "port" stands here a second time'],
  ])('says what is wrong and where: %s', (text, expected) => {
    expect(errorsOf(text, { SHORT: 'abc' })).toEqual([expected])
  })

  it('says all that is wrong at once, and which variable or flag it came from', () => {
    const env = { SLUICE_SERVE_HOST: '', SLUICE_SERVE_LIMITS_BODY: 'big', SLUICE_SERVE_WORK_CHUNKS: 'none' }
    const found = errorsOf('prt: 80\ndrain: x', env, { port: -1 })
    expect(found).toHaveLength(6)
    for (const start of [
      '--port port',
      'SLUICE_SERVE_HOST host',
      'SLUICE_SERVE_LIMITS_BODY limits.body',
      'serve.yaml:1:1 unknown key "prt"',
      'serve.yaml:2:8 drain',
    ])
      expect(found.join('\n')).toContain(start)
  })

  it('never shows a key that stands where its variable belongs', () => {
    const key = 'sk-proj-AbCdEf0123456789AbCdEf0123456789'
    for (const text of [
      `default_model: { provider: openai, api_key_env: "${key}" }`,
      `jwt: { secret_env: "${key}" }`,
      `models: { a: { id: openai/x, base_url: "https://u:${key}@host/" } }`,
      `telemetry: { traces_url: "https://host/?token=${key}" }`,
    ])
      expect(errorsOf(text).join('\n')).not.toContain(key)
  })

  it('gives every plain value a variable of its own name', () => {
    const names = PLAIN_VALUES.map(({ variable }) => variable)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining(['SLUICE_SERVE_PORT', 'SLUICE_SERVE_LIMITS_BODY', 'SLUICE_SERVE_JWT_JWKS_URL']),
    )
  })

  it('either reads or refuses on purpose, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => JSON.stringify({ limits: value })),
        ),
        (text) => {
          try {
            from(text)
          } catch (error) {
            expect(error).toBeInstanceOf(SluiceError)
          }
        },
      ),
    )
  })
})

describe('sizeBytes', () => {
  it('counts in powers of ten', () => {
    expect(['1B', '12', '1kB', '1.5MB', '2GB'].map(sizeBytes)).toEqual([1, 12, 1_000, 1_500_000, 2_000_000_000])
    expect(sizeBytes(7)).toBe(7)
  })
})
