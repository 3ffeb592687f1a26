import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { publishedSchema, referenceTable } from '../../src/spec/published.ts'
import { readText } from './spec-folder.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const again = 'run `node scripts/write-spec-schema.ts`'

/** Every key of the schema, as a path. */
function keysOf(shape: unknown, prefix = ''): string[] {
  const { properties = {}, items } = shape as { properties?: Record<string, unknown>; items?: unknown }
  const own = Object.entries(properties).flatMap(([name, part]) => [
    `${prefix}${name}`,
    ...keysOf(part, `${prefix}${name}.`),
  ])
  return items === undefined ? own : [...own, ...keysOf(items, `${prefix.replace(/\.$/, '')}[].`)]
}

describe('the published schema', () => {
  const schema = publishedSchema()
  const isSpec = new Ajv({ strict: true, keywords: ['errorMessage'], allowUnionTypes: true }).compile(schema)

  it('is sluice.schema.json', () => {
    expect(JSON.parse(read('sluice.schema.json')), again).toEqual(schema)
  })

  it('describes every key, and docs/spec.md has them all', () => {
    const docs = read('docs/spec.md')
    expect(docs, again).toContain(referenceTable())
    const keys = keysOf(schema)
    expect(keys).toContain('model.fallback[].when')
    expect(keys.filter((key) => !docs.includes(`\`${key}\``))).toEqual([])
    expect(
      referenceTable()
        .split('\n')
        .filter((row) => row.endsWith('|  |')),
    ).toEqual([])
  })

  it('takes what sluice takes, nulls included, and refuses what it refuses', async () => {
    const spec = parse(read('docs/spec.md').split('```yaml\n')[1]?.split('```')[0] ?? '') as Record<string, unknown>
    expect(isSpec(spec)).toBe(true)
    expect(isSpec({ ...spec, output: null, gates: { min_success: null }, input: { source: 'x', limit: null } })).toBe(
      true,
    )
    expect(isSpec({ ...spec, executon: {} })).toBe(false)
    expect(isSpec({ ...spec, execution: { retries: -1 } })).toBe(false)
    expect(isSpec({ ...spec, execution: { timeout: { request: 60 } } })).toBe(false)
  })

  it('belongs to an example that is right', async () => {
    const yaml = read('docs/spec.md').split('```yaml\n')[1]?.split('```')[0] ?? ''
    expect((await readText(yaml)).findings).toEqual([])
  })
})
