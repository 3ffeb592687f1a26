import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loaded, loadSpec, readSpec } from '../../src/spec/load.ts'
import { folderWith, lines, readText, SMALLEST } from './spec-folder.ts'

const env = () => undefined

describe('loadSpec', () => {
  it('fills in every default and freezes the whole', async () => {
    const { spec, baseDir, notes } = await loadSpec('s.yaml', { cwd: folderWith({ 's.yaml': SMALLEST }), env })
    expect(spec).toEqual({
      version: 1,
      name: 'tiny',
      description: null,
      tags: {},
      vars: {},
      input: {
        source: 'rows.csv',
        sql: null,
        format: null,
        key: null,
        where: null,
        limit: null,
        csv: { delimiter: null, header: null, encoding: null },
      },
      model: {
        target: { id: 'simulator/small', baseUrl: null, apiKeyEnv: null, params: {} },
        price: null,
        fallback: [],
      },
      prompt: { system: null, user: '{{ text }}' },
      output: { schema: null, columns: ['answer'], checks: [], onInvalid: { attempts: 3 } },
      execution: {
        lane: 'live',
        chunkRows: null,
        chunksInFlight: 5,
        chunkAttempts: 3,
        concurrency: { max: 64 },
        limits: { rpm: null, tpm: null, itpm: null, otpm: null, rpd: null, tpd: null },
        timeout: { requestMs: 120_000, jobMs: null },
        retries: 4,
        cache: 'spec',
      },
      priority: 'normal',
      budget: { usdNano: null, tokens: null, rowTokens: null, onExceed: 'pause' },
      gates: { minSuccess: null, maxCostPerRowNano: null },
      pauseIf: null,
      write: null,
    })
    expect(Object.isFrozen(spec.execution.timeout)).toBe(true)
    expect(baseDir).toMatch(/sluice-spec-/)
    expect(notes).toEqual([])
  })

  it('throws all errors at once, and says when nothing but unbuilt parts is wrong', async () => {
    const folder = folderWith({
      'bad.yaml': `${SMALLEST}retries: 3\nexecuton: {}\n`,
      'later.yaml': `${SMALLEST}retention: { rows: 90d }\n`,
    })
    await expect(loadSpec('bad.yaml', { cwd: folder, env })).rejects.toMatchObject({
      code: 'spec_invalid',
      message: 'the spec has 2 errors',
      findings: [
        { message: 'unknown key "retries"', hint: 'did you mean "execution.retries"?' },
        { message: 'unknown key "executon"' },
      ],
    })
    await expect(loadSpec('later.yaml', { cwd: folder, env })).rejects.toMatchObject({
      code: 'not_yet_supported',
      message: 'retention is not yet supported',
      place: { file: 'later.yaml', line: 5, column: 1 },
    })
  })

  it.each([
    ['a missing file', 'tickts.yaml', 'error - there is no file tickts.yaml | did you mean "tickets.yaml"?'],
    [
      'a missing file like no other',
      'nothing.yaml',
      'error - there is no file nothing.yaml | `sluice init` writes a spec to begin with.',
    ],
    ['a folder', '.', 'error - . is a folder, not a spec | Name the file in it: tickets.yaml.'],
    [
      'another kind of file',
      'rows.csv',
      'error rows.csv ".csv" is no kind of spec | A spec ends in .yaml, .yml, .json, .ts, .mts, .js, .mjs.',
    ],
    ['bytes that are no text', 'latin.yml', 'error latin.yml the file is not UTF-8 text | Save it as UTF-8.'],
    [
      'an empty file',
      'empty.yml',
      'error empty.yml:1:1 the file is empty | A spec is a mapping of keys: name, input, model, prompt, output, … `sluice init` writes one.',
    ],
  ])('says what is wrong with %s', async (_name, path, line) => {
    const cwd = folderWith({
      'tickets.yaml': SMALLEST,
      'rows.csv': 'a\n',
      'latin.yml': Buffer.from([0x61, 0xe9, 0x0a]),
      'empty.yml': '',
    })
    const found = lines((await readSpec(path, { cwd, env })).findings)
    expect(
      found.map((each) =>
        each
          .replace('tickets.yaml, latin.yml, empty.yml', 'tickets.yaml')
          .replace(/in it: .*tickets.yaml\.$/, 'in it: tickets.yaml.'),
      ),
    ).toEqual([line])
  })

  it('reads a file with a byte order mark', async () => {
    const cwd = folderWith({ 's.yaml': `\uFEFF${SMALLEST}` })
    expect((await loadSpec('s.yaml', { cwd, env })).spec.name).toBe('tiny')
  })

  it('refuses a folder of documents, an address, and results over the input', async () => {
    const cwd = folderWith({
      's.yaml': SMALLEST.replace('rows.csv', '.'),
      't.yaml': SMALLEST.replace('rows.csv', 'https://b/x.csv'),
      'u.yaml': `${SMALLEST}write: { path: ./rows.csv }`,
    })
    const read = async (file: string) => lines((await readSpec(file, { cwd, env })).findings)
    expect(await read('s.yaml')).toEqual([
      'error s.yaml:2:18 input.source: . is a folder, and folders of documents are not yet supported | Name a file, or a glob such as data/*.csv.',
    ])
    expect(await read('t.yaml')).toEqual([
      'error t.yaml:2:18 input.source: https:// is not yet supported | Use a file, a glob or s3://.',
    ])
    expect(await read('u.yaml')).toEqual([
      'error u.yaml:5:16 write.path is the input itself | Choose another file for the results.',
    ])
  })

  it('finds a schema file beside the spec, and names the place of an error in it', async () => {
    const files = { 'schema.json': '{\n "type": "object",\n "properties": {\n  "a": { "type": "strng" }\n }\n}' }
    const reading = await readText(`${SMALLEST}output: { file: schema.json }`, { files })
    expect(lines(reading.findings)).toEqual([
      'error schema.json:4:18 properties.a.type is no type of JSON Schema, got "strng" | did you mean "string"?',
    ])
    const missing = await readText(`${SMALLEST}output: { file: schma.json }`, { files })
    expect(lines(missing.findings)).toEqual([
      'error s.yaml:5:17 output.file: there is no file schma.json | It is relative to the spec.',
    ])
  })

  it('knows a spec from the future, and says nothing else of it', async () => {
    const reading = await readText('version: 2\nname: x\nswarm: { agents: 9 }\n')
    expect(lines(reading.findings)).toEqual([
      'error s.yaml:1:10 spec version 2 was written for a newer sluice | Update sluice; this one reads version 1.',
    ])
  })

  it('names files as the command line did', async () => {
    const cwd = folderWith({ 's.yaml': 'name: 5\n' })
    const absolute = await readSpec(join(cwd, 's.yaml'), { cwd, env })
    expect(absolute.positions.file).toBe('s.yaml')
    expect(lines(absolute.findings)[0]).toMatch(/^error s\.yaml:1:/)
  })
})

describe('the environment', () => {
  const read = async (text: string, env: Record<string, string>) => {
    const reading = await readText(text, { env })
    return { ...reading, lines: lines(reading.findings) }
  }

  it('fills in texts, and numbers where one is asked for, but never prompts', async () => {
    const sha = '9fceb02d0ae598e95dc970b74767f19372d61af8'
    const text = `name: \${NAME}
tags: { run: "nightly-\${DAY:-none}", raw: "$\${DAY}", commit: "\${SHA}" }
input: { source: "\${DIR}/rows.csv", limit: "\${LIMIT}" }
model: { id: simulator/small }
prompt: { user: "cost \${PRICE} {{ text }}" }
write: { path: out.csv, include_input: "\${KEEP:-false}" }`
    const { draft, lines: found } = await read(text, { NAME: 'tiny', DIR: 'data', LIMIT: '10', SHA: sha })
    expect(found).toEqual([])
    expect(draft).toMatchObject({
      name: 'tiny',
      tags: { run: 'nightly-none', raw: `\${DAY}`, commit: sha },
      input: { source: 'data/rows.csv', limit: 10 },
      prompt: { user: `cost \${PRICE} {{ text }}` },
      write: { includeInput: false },
    })
  })

  it('says at its place what is missing, malformed or secret, without the value', async () => {
    const text = `${SMALLEST}tags:\n  a: \${NOPE}\n  b: \${my-var}\n  c: \${SLACK_TOKEN}\n  d: \${OTHER}\n`
    const { lines: found } = await read(text, { SLACK_TOKEN: 'xoxb-1', OTHER: 'sk-abcdefghijklmnop' })
    expect(found).toEqual([
      `error s.yaml:6:6 tags.a: the variable NOPE is not set | Set it, or give a default: \${NOPE:-…}.`,
      `error s.yaml:7:6 tags.b: "\${my-var}" names no variable | Write \${NAME} or \${NAME:-default}; $\${ stands for a literal \${.`,
      'error s.yaml:8:6 tags.c: SLACK_TOKEN looks like a secret, and a spec is stored as it is | Secrets are given by the name of their variable: model.api_key_env.',
      'error s.yaml:9:6 tags.d: OTHER looks like a secret, and a spec is stored as it is | Secrets are given by the name of their variable: model.api_key_env.',
    ])
  })

  it.each([
    'sk-proj-abc123',
    'AIzaSyA1234567890abcdefghijklmnopqrstu',
    'gsk_abcdef',
    'Zk3x9QwErTyUiOpAsDfGhJkLzXcVbNm1',
    '0123456789abcdef0123456789abcdef',
  ])('refuses the key %s where its name belongs, and never repeats it', async (key) => {
    const reading = await readText(SMALLEST.replace('simulator/small', `openai/x, api_key_env: "${key}"`))
    expect(reading.findings).toHaveLength(1)
    expect(reading.findings[0]?.message).toBe('model.api_key_env holds a key itself, not the name of a variable')
    expect(JSON.stringify(reading)).not.toContain(key)
  })

  it.each(['OPENAI_API_KEY', 'MY_COMPANY_OPENAI_PRODUCTION_KEY_2', 'key'])('takes the name %s', async (name) => {
    const { spec } = loaded(await readText(SMALLEST.replace('simulator/small', `openai/x, api_key_env: ${name}`)))
    expect(spec.model.target.apiKeyEnv).toBe(name)
  })

  it('refuses a reference where the name of a variable belongs, and a password in an address', async () => {
    const model = `openai-compatible/x, api_key_env: "\${OPENAI_API_KEY}", base_url: "https://me:hunter2@host/v1"`
    const { lines: found } = await read(SMALLEST.replace('simulator/small', model), {
      OPENAI_API_KEY: 'sk-abcdefghijklmnop',
    })
    expect(found[0]).toContain(
      'model.api_key_env takes the name of a variable, not what is in it | Write OPENAI_API_KEY',
    )
    expect(found[1]).toContain('model.base_url holds a password or a key')
    expect(found.join()).not.toMatch(/hunter2|sk-abc/)
  })
})
