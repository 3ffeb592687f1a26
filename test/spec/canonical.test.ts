import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CAUSES } from '../../src/domain/failure.ts'
import { canonicalJson, specFromCanonical, specHash } from '../../src/spec/canonical.ts'
import { loaded, loadSpec, readSpecObject } from '../../src/spec/load.ts'
import { readSpecDocument } from '../../src/spec/read-document.ts'
import { readYaml } from '../../src/spec/read-yaml.ts'
import type { LoadedSpec } from '../../src/spec/reading.ts'
import { folderWith, readText, SMALLEST } from './spec-folder.ts'

const env = () => undefined
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
/** Text without `${`, which would be read from the environment. */
const prose = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('$'))
const rare = { requiredKeys: [] }
const duration = fc.constantFrom('500ms', '60s', '2m', '24h')
const share = fc.constantFrom('99%', 0.5, '0.25', '12.5%')
const money = fc.constantFrom('0.25', 2, '10.00', 0.0005)

const shortForm = fc.constantFrom(
  'string',
  'boolean',
  'number(0..1)',
  'integer',
  'enum[a, "b, c"]',
  'string[]',
  'number?',
)
const fields = fc.dictionary(name, fc.oneof(shortForm, fc.dictionary(name, shortForm, { minKeys: 1, maxKeys: 2 })), {
  minKeys: 1,
  maxKeys: 4,
})
const params = fc.record(
  {
    temperature: fc.constantFrom(0, 0.7),
    max_output_tokens: fc.integer({ min: 1, max: 9999 }),
    stop: fc.array(fc.constantFrom('END', '\n'), { maxLength: 2 }),
  },
  rare,
)
const price = fc.record({ input: money, output: money })

const specs = fc.record(
  {
    version: fc.constant(1),
    name,
    description: fc.option(prose),
    tags: fc.dictionary(name, prose, { maxKeys: 3 }),
    vars: fc.dictionary(name, fc.oneof(prose, fc.integer(), fc.boolean()), { maxKeys: 3 }),
    input: fc.record(
      {
        source: fc.constant('rows.csv'),
        key: fc.option(prose.filter((text) => text !== '')),
        limit: fc.option(fc.integer({ min: 1, max: 1e9 })),
        csv: fc.record({ delimiter: fc.constantFrom(';', '\t'), header: fc.boolean() }, rare),
      },
      { requiredKeys: ['source'] },
    ),
    model: fc.record(
      {
        id: fc.constantFrom('openai/a', 'google/b'),
        params,
        price: fc.option(price),
        fallback: fc.array(
          fc.record({
            id: fc.constant('openai/c'),
            when: fc.uniqueArray(fc.constantFrom(...CAUSES), { minLength: 1, maxLength: 3 }),
            max_share: share,
          }),
          { maxLength: 2 },
        ),
      },
      { requiredKeys: ['id'] },
    ),
    prompt: fc.record({ system: fc.option(prose), user: prose }),
    output: fc.option(
      fc.record(
        {
          fields,
          checks: fc.array(fc.record({ that: fc.constant('output.a'), message: prose }), { maxLength: 2 }),
          on_invalid: fc.record({ attempts: fc.integer({ min: 1, max: 5 }) }),
        },
        rare,
      ),
    ),
    execution: fc.record(
      {
        lane: fc.constantFrom('live', 'auto'),
        deadline: duration,
        chunk_rows: fc.integer({ min: 1, max: 500 }),
        timeout: fc.record({ request: duration, job: fc.option(duration) }, rare),
        cache: fc.constantFrom('off', 'job', 'spec', 'tenant'),
      },
      rare,
    ),
    priority: fc.constantFrom('high', 'normal', 'low'),
    budget: fc.record(
      {
        usd: money,
        tokens: fc.option(fc.integer({ min: 1, max: 10_000 })),
        row_tokens: fc.option(fc.integer({ min: 1, max: 10_000 })),
        on_exceed: fc.constantFrom('pause', 'stop'),
      },
      rare,
    ),
    gates: fc.record({ min_success: share, max_cost_per_row_usd: money }, rare),
    pause_if: fc.option(fc.record({ failed_over: share, after_rows: fc.integer({ min: 1, max: 1000 }) })),
    write: fc.option(fc.record({ path: fc.constantFrom('out.csv', 'out/a.parquet'), include_input: fc.boolean() })),
  },
  { requiredKeys: ['name', 'input', 'model', 'prompt'] },
)

async function fromObject(value: unknown): Promise<LoadedSpec> {
  return loaded(await readSpecObject(value, 'spec', '/nowhere', { env }))
}

async function fromYaml(text: string): Promise<LoadedSpec> {
  return loaded(await readSpecDocument(readYaml(text, 's.yaml'), { env, baseDir: '/nowhere' }))
}

/** The same value with the keys of every mapping turned round, except where their order has a meaning. */
function turned(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => turned(item))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(
    ([each, part]) => [each, key === 'fields' ? part : turned(part, each)] as const,
  )
  return Object.fromEntries(key === 'fields' ? entries : entries.reverse())
}

describe('canonical JSON', () => {
  it('is the same for the YAML, JSON and object forms of a spec, in any order of keys', async () => {
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const object = await fromObject(spec)
        const yaml = await fromYaml(stringify(turned(spec), { lineWidth: 0 }))
        const json = await fromYaml(JSON.stringify(spec))
        expect(yaml.canonicalJson).toBe(object.canonicalJson)
        expect(json.hash).toBe(object.hash)
      }),
    )
  })

  it('reads back as the spec that it was written from', async () => {
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const { spec: resolved, canonicalJson: text, hash } = await fromObject(spec)
        const again = specFromCanonical(text)
        expect(again).toEqual(resolved)
        expect(canonicalJson(again)).toBe(text)
        expect(specHash(text)).toBe(hash)
        expect(Object.isFrozen(again.model.target.params)).toBe(true)
      }),
    )
  })

  it('is one line of sorted keys with every default in it', async () => {
    const { spec, hash } = loaded(await readText(SMALLEST))
    const text = canonicalJson(spec)
    expect(text).toMatch(
      /^\{"budget":\{"onExceed":"pause","rowTokens":null,"tokens":null,"usdNano":null\},"description":null,"execution":\{"cache":"spec","chunkAttempts":3,/,
    )
    expect(text).toContain('"output":{"checks":[],"columns":["answer"],"onInvalid":{"attempts":3},"schema":null}')
    expect(JSON.stringify(JSON.parse(text))).toBe(text)
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
  })

  it('is the same for the short form, the full schema, a schema in a file and a schema with its keywords in another order', async () => {
    const schema = {
      additionalProperties: false,
      required: ['b', 'a'],
      properties: { b: { enum: ['x', 'y'], type: 'string' }, a: { maximum: 1, minimum: 0, type: 'number' } },
      type: 'object',
    }
    const folder = folderWith({
      'short.yaml': `${SMALLEST}output: { fields: { b: "enum[x, y]", a: "number(0..1)" } }\n`,
      'full.yaml': `${SMALLEST}output:\n  schema: ${JSON.stringify({ ...schema, required: ['a', 'b'] })}\n`,
      'dialect.yaml': `${SMALLEST}output:\n  schema: ${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema })}\n`,
      'file.yaml': `${SMALLEST}output: { file: schema.json }\n`,
      'schema.json': JSON.stringify(schema),
    })
    const hashes = ['short', 'full', 'dialect', 'file'].map(
      async (each) => (await loadSpec(`${each}.yaml`, { cwd: folder, env })).hash,
    )
    expect(new Set(await Promise.all(hashes)).size).toBe(1)
  })

  it('keeps the order of the output fields, which is that of the columns', async () => {
    const [ab, ba] = await Promise.all(
      ['{ b: string, a: string }', '{ a: string, b: string }'].map(async (fields) =>
        loaded(await readText(`${SMALLEST}output: { fields: ${fields} }`)),
      ),
    )
    expect(ab?.spec.output.columns).toEqual(['b', 'a'])
    expect(specFromCanonical(ab?.canonicalJson ?? '').output.columns).toEqual(['b', 'a'])
    expect(ab?.hash).not.toBe(ba?.hash)
  })

  it('refuses what a newer sluice wrote', () => {
    expect(() => specFromCanonical('{"version":2}')).toThrow(expect.objectContaining({ code: 'store_version' }))
  })
})
