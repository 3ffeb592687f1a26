import { describe, expect, it } from 'vitest'
import { loaded } from '../../src/spec/load.ts'
import type { SpecOverrides } from '../../src/spec/overrides.ts'
import { withModel } from '../../src/spec/resolve-model.ts'
import { lines, readText } from './spec-folder.ts'

const SPEC = `name: tiny
vars: { language: English, max: 3, strict: true }
input: { source: rows.csv, limit: 5 }
model:
  id: openai/small
  base_url: https://proxy.example/v1
  api_key_env: PROXY_VARIABLE
  price: { input: 1, output: 2 }
  params: { temperature: 0 }
prompt: { user: "{{ text }} {{ vars.language }}" }
write: { path: out.csv, include_input: false }
`
const read = (overrides: SpecOverrides) => readText(SPEC, { overrides })
const load = async (overrides: SpecOverrides) => loaded(await read(overrides)).spec

describe('what the command line says over the spec', () => {
  it('takes its place', async () => {
    const spec = await load({ lane: 'live', limit: 2, vars: { language: 'French', max: '7', strict: 'false' } })
    expect(spec.input.limit).toBe(2)
    expect(spec.vars).toEqual({ language: 'French', max: 7, strict: false })
  })

  it('takes paths from where the command was given', async () => {
    const spec = await load({ input: 'data/others.csv', output: '../res.parquet', cwd: '/' })
    expect(spec.input.source).toMatch(/^(\.\.\/)+data\/others\.csv$/)
    expect(spec.write).toEqual({ path: expect.stringMatching(/^(\.\.\/)+res\.parquet$/), includeInput: false })
  })

  it('lets another model keep only what is its own', async () => {
    const sameProvider = (await load({ model: 'openai/large' })).model
    expect(sameProvider).toMatchObject({
      target: {
        id: 'openai/large',
        baseUrl: 'https://proxy.example/v1',
        apiKeyEnv: 'PROXY_VARIABLE',
        params: { temperature: 0 },
      },
      price: null,
    })
    const other = (await load({ model: 'google/x' })).model
    expect(other).toMatchObject({
      target: { id: 'google/x', baseUrl: null, apiKeyEnv: null, params: { temperature: 0 } },
      price: null,
    })
    const same = (await load({ model: 'openai/small' })).model
    expect(same.price).toEqual({ input: '1', output: '2', cachedInput: null })
    const plain = await load({})
    expect(withModel(plain, 'openai/large').model).toEqual(sameProvider)
    expect(withModel(plain, 'google/x').model).toEqual(other)
    expect(withModel(plain, 'openai/small')).toBe(plain)
  })

  it('is blamed by the name of its flag', async () => {
    const { findings } = await read({
      model: 'gpt-5',
      lane: 'fast',
      limit: 0,
      output: 'x.doc',
      vars: { langauge: 'French', max: 'many' },
    })
    expect(lines(findings)).toEqual([
      'error --lane execution.lane must be one of "live", "batch", "auto", got "fast"',
      'error --limit input.limit must be a whole number of at least 1, got 0',
      'error --model model.id must be provider/model, such as openai/gpt-5-mini, got "gpt-5"',
      'error --var langauge the spec has no variable "langauge" | did you mean "language"?',
      'error --var max vars.max is a number in the spec, and "many" is none',
      'error -o write.path must end in .csv, .jsonl or .parquet, got "x.doc"',
    ])
  })
})
