import { expect, it } from 'vitest'
import { type Allowance, NOTHING_ALLOWED } from '../../src/domain/allowance.ts'
import { readForeignSpec } from '../../src/spec/foreign.ts'

const spec = (more: Readonly<Record<string, unknown>> = {}) => ({
  version: 1,
  name: 'triage',
  input: { source: 'tickets.csv' },
  model: { id: 'openai/gpt-5-mini' },
  prompt: { user: '{{ subject }}' },
  ...more,
})
/** A text that is to be read from the environment. */
const inEnv = (name: string) => `$${`{${name}}`}`
const secrets: Readonly<Record<string, string>> = { INSIDE: 'what the server knows', HOOK_URL: 'https://hooks.test/x' }
const read = (value: unknown, allowance: Partial<Allowance> = {}) =>
  readForeignSpec(value, {
    allowance: { ...NOTHING_ALLOWED, ...allowance },
    env: (name) => secrets[name],
    name: 'spec',
  })
const errors = async (value: unknown, allowance: Partial<Allowance> = {}) =>
  (await read(value, allowance)).findings.filter(({ severity }) => severity === 'error').map(({ message }) => message)

it('takes a spec that names nothing of the server', async () => {
  expect(await errors(spec())).toStrictEqual([])
})

it.each([
  'http://10.0.0.1/hook',
  'http://localhost:8080/hook',
  'http://me.localhost./hook',
  'http://2130706433/hook',
  'http://0x7f.1/hook',
  'http://0/hook',
  'https://[::1]/hook',
  'https://[::ffff:169.254.169.254]/hook',
])('refuses to notify %s, unless the operator allows private networks', async (webhook) => {
  const notifying = spec({ notify: [{ webhook }] })
  expect(await errors(notifying)).toStrictEqual(['notify[0] leads into a private network'])
  expect(await errors(notifying, { privateNotices: true })).toStrictEqual([])
})

it.each([
  ['a query over files', { input: { sql: "select * from '/etc/passwd'" } }, 'input.sql reads files'],
  ['object storage', { input: { source: 's3://ours/rows.csv' } }, 'input.source lies where'],
  ['limits of an account', { execution: { limits: { rpm: 1 } } }, 'would hold for every tenant'],
  ['a place for results', { write: { path: '/tmp/out.csv' } }, 'write.path lies where'],
  ['results in object storage', { write: { path: 's3://ours/out.csv' } }, 'write.path lies where'],
  ['a schema in a file', { output: { file: '/etc/schema.json' } }, 'output.file names a file of the server'],
  [
    'an address',
    { model: { id: 'openai/gpt-5-mini', base_url: 'http://169.254.169.254/v1' } },
    'base_url is an address',
  ],
  ['a key', { model: { id: 'openai/gpt-5-mini', api_key_env: 'INSIDE' } }, 'api_key_env names the variable'],
  ['a variable', { vars: { seen: inEnv('INSIDE') } }, 'the variable INSIDE is not set'],
  ['an address to notify', { notify: [{ webhook: inEnv('HOOK_URL') }] }, 'HOOK_URL'],
  [
    'a secret to sign with',
    { notify: [{ webhook: 'https://example.com/hook', secret_env: 'INSIDE' }] },
    'names the variable INSIDE',
  ],
  [
    'an address of a fallback',
    {
      model: {
        id: 'openai/gpt-5',
        fallback: [{ id: 'openai/gpt-5-mini', base_url: 'http://10.0.0.1', when: ['timeout'] }],
      },
    },
    'base_url is an address',
  ],
])('refuses %s', async (_what, more, message) => {
  expect((await errors(spec(more))).join('\n')).toContain(message)
})

it('never says what a variable holds', async () => {
  expect(JSON.stringify((await read(spec({ vars: { seen: inEnv('INSIDE') } }))).findings)).not.toContain(secrets.INSIDE)
})

it('reads no file of the server, be there one or not', async () => {
  const here = await errors(spec({ input: { source: 'package.json' } }))
  const there = await errors(spec({ input: { source: '../../no/such/file.json' } }))
  const folder = await errors(spec({ input: { source: 'src' } }))
  expect([here, there, folder]).toStrictEqual([[], [], []])
})

it('takes what the operator allows', async () => {
  const allowed: Partial<Allowance> = {
    env: ['HOOK_URL', 'INSIDE'],
    baseUrls: ['https://vllm.internal/v1'],
    keyEnvs: ['TEAM_KEY'],
    inputs: ['s3://ours/in'],
    writes: ['s3://ours/out/'],
  }
  const value = spec({
    input: { source: 's3://ours/in/rows.csv' },
    write: { path: 's3://ours/out/results.csv' },
    model: { id: 'openai-compatible/llama', base_url: 'https://vllm.internal/v1', api_key_env: 'TEAM_KEY' },
    notify: [{ webhook: inEnv('HOOK_URL'), secret_env: 'INSIDE' }],
  })
  expect(await errors(value, allowed)).toStrictEqual([])
})

it.each([
  ['s3://ours/inside/rows.csv', 's3://ours/in'],
  ['s3://ours/in/../other/rows.csv', 's3://ours/in'],
  ['s3://ours-too/rows.csv', 's3://ours'],
])('does not take %s for a part of %s', async (source, place) => {
  expect(await errors(spec({ input: { source } }), { inputs: [place] })).toHaveLength(1)
})

it('does not take another port for the same address', async () => {
  const model = { id: 'openai-compatible/llama', base_url: 'http://inside:8080/v1' }
  expect(await errors(spec({ model }), { baseUrls: ['http://inside:80'] })).toHaveLength(1)
})

it('puts in the price that the operator has given, also of a fallback', async () => {
  const price = { input: '0.1', output: '0.4', cachedInput: null }
  const allowance = {
    models: { own: { id: 'openai-compatible/llama-3', baseUrl: 'http://inside/v1', apiKeyEnv: null, price } },
  }
  const { draft } = await read(spec({ model: { id: 'own', price: { input: '0', output: '0' } } }), allowance)
  expect(draft?.model.price).toMatchObject(price)
  const second = await read(
    spec({ model: { id: 'openai/gpt-5', fallback: [{ id: 'own', when: ['timeout'] }] } }),
    allowance,
  )
  expect(second.draft?.model.fallback[0]).toMatchObject({ target: { baseUrl: 'http://inside/v1' }, price })
  expect(second.findings.filter(({ severity }) => severity === 'error')).toStrictEqual([])
})

it('finds a model by the name that the operator gave it, or without its provider', async () => {
  const local = { id: 'openai-compatible/llama-3', baseUrl: 'http://inside/v1', apiKeyEnv: 'LOCAL_KEY' }
  const allowance = { models: { fast: local }, defaultModel: { id: 'openai', baseUrl: null, apiKeyEnv: null } }
  const target = async (id: string) => (await read(spec({ model: { id } }), allowance)).draft?.model.target
  expect(await target('fast')).toMatchObject(local)
  expect(await target('gpt-5-mini')).toMatchObject({ id: 'openai/gpt-5-mini', baseUrl: null })
  expect(await target('anthropic/claude-haiku-4-5')).toMatchObject({ id: 'anthropic/claude-haiku-4-5', baseUrl: null })
  expect(await errors(spec({ model: { id: 'fast' } }), allowance)).toStrictEqual([])
  expect(await errors(spec({ model: { id: 'fast' } }))).toHaveLength(1)
})
