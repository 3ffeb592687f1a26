import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineSpec } from '../../src/index.ts'
import { loaded, loadSpec, readSpec, readSpecObject } from '../../src/spec/load.ts'
import { folderWith, lines, readText } from './spec-folder.ts'

const env = () => undefined
const root = join(import.meta.dirname, '../..')

const YAML = `name: triage
input: { source: rows.csv, key: id }
model: { id: openai/small, params: { max_output_tokens: 200 } }
prompt: { user: "{{ body }}" }
output:
  fields:
    topic: enum[billing, login]
    urgent: boolean
    notes: string[]
    quote: string?
`
const common = {
  name: 'triage',
  input: { source: 'rows.csv', key: 'id', limit: null },
  model: { id: 'openai/small', params: { max_output_tokens: 200 } },
  prompt: { user: '{{ body }}' },
} as const

const read = (value: unknown) => readSpecObject(value, 'spec.ts', '/nowhere', { env })

describe('a spec in TypeScript', () => {
  it('has the hash of its YAML form, with a Zod schema as the output', async () => {
    const fields = { topic: z.enum(['billing', 'login']), urgent: z.boolean(), notes: z.array(z.string()) }
    const schema = z.object(fields)
    const yaml = loaded(await readText(YAML.replace('    quote: string?\n', '')))
    const whole = loaded(await read(defineSpec({ ...common, output: schema })))
    const block = loaded(await read(defineSpec({ ...common, output: { schema, checks: [] } })))
    expect(whole.canonicalJson).toBe(yaml.canonicalJson)
    expect(block.hash).toBe(yaml.hash)
  })

  it('may hold the short form', async () => {
    const spec = defineSpec({
      ...common,
      output: { fields: { topic: 'enum[billing, login]', urgent: 'boolean', notes: 'string[]', quote: 'string?' } },
    })
    expect(loaded(await read(spec)).hash).toBe(loaded(await readText(YAML)).hash)
  })

  it('is checked by its type in the editor', () => {
    // @ts-expect-error: a key that no spec has
    expect(defineSpec({ ...common, executon: {} })).toHaveProperty('executon')
    // @ts-expect-error: a value that is none of those allowed
    expect(defineSpec({ ...common, priority: 'urgent' })).toHaveProperty('priority')
    // @ts-expect-error: no name
    expect(defineSpec({ input: common.input, model: common.model, prompt: common.prompt })).not.toHaveProperty('name')
    expect(defineSpec({ ...common, gates: null, output: { fields: { a: 'string' }, checks: null } })).toHaveProperty(
      'gates',
      null,
    )
  })

  it('is refused where JSON cannot hold it, all at once', async () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    const { findings } = await read({
      ...common,
      description: undefined,
      tags: { a: () => 'x', b: new Date(0), c: Number.NaN, d: circle, e: 5n },
      output: z.object({ at: z.string().transform(Number) }),
    })
    expect(lines(findings)).toEqual([
      'error spec.ts tags.a holds a function: a spec is plain JSON',
      'error spec.ts tags.b holds an object of the class Date: a spec is plain JSON',
      'error spec.ts tags.c holds NaN: a spec is plain JSON',
      'error spec.ts tags.d.self holds a value that holds itself: a spec is plain JSON',
      'error spec.ts tags.e holds a bigint: a spec is plain JSON',
      expect.stringMatching(
        /^error spec\.ts output\.schema: the schema cannot be written as JSON Schema: .* \| Transforms and custom types/,
      ),
    ])
  })

  it('needs a schema that gives JSON Schema', async () => {
    const { findings } = await read({
      ...common,
      output: { schema: { '~standard': { version: 1, vendor: 'other', validate: () => ({ value: 1 }) } } },
    })
    expect(lines(findings)).toEqual([
      expect.stringContaining('output.schema: this schema of other gives no JSON Schema | zod 4.2'),
    ])
  })

  it('is a module that may import sluice where no such package is', () => {
    const folder = folderWith({
      'triage.spec.ts': `import { defineSpec } from 'sluice'\nconst limit: number = 3\nexport default defineSpec({ name: 'triage', input: { source: 'rows.csv', limit }, model: { id: 'simulator/x' }, prompt: { user: '{{ body }}' } })\n`,
      'print.ts': `import { loadSpec } from ${JSON.stringify(join(root, 'src/spec/load.ts'))}\nconst { spec } = await loadSpec('triage.spec.ts', { cwd: import.meta.dirname, env: () => undefined })\nprocess.stdout.write(JSON.stringify(spec.input))\n`,
    })
    const printed = execFileSync(join(root, 'node_modules/.bin/node'), [join(folder, 'print.ts')], { encoding: 'utf8' })
    expect(JSON.parse(printed)).toMatchObject({ source: 'rows.csv', limit: 3 })
  })

  it('says what is wrong with a module', async () => {
    const cwd = folderWith({
      'none.ts': 'export const spec = 1\n',
      'throws.mjs': "throw new Error('no luck')\n",
      'text.js': "export default 'x'\n",
      'bad.mjs': 'export default { name: 5 }\n',
    })
    const read = async (file: string) => lines((await readSpec(file, { cwd, env })).findings)
    expect(await read('none.ts')).toEqual([
      'error none.ts the module has no default export | Write: export default defineSpec({ … })',
    ])
    expect(await read('throws.mjs')).toEqual([
      'error throws.mjs the module cannot be loaded: no luck | Run it with node to see more.',
    ])
    expect(await read('text.js')).toEqual([expect.stringContaining('the file holds a single string, not a spec')])
    expect((await read('bad.mjs'))[0]).toBe(
      'error bad.mjs input is missing | Which rows. Either `source` or `sql` is given.',
    )
    await expect(loadSpec('bad.mjs', { cwd, env })).rejects.toMatchObject({ code: 'spec_invalid' })
  })
})
