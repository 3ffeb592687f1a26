import { describe, expect, it } from 'vitest'
import type { Price } from '../../src/domain/money.ts'
import { SluiceError } from '../../src/errors.ts'
import { checkSpec } from '../../src/plan/check.ts'
import type { CheckTools, InputPreview } from '../../src/plan/check-tools.ts'
import { lines, readText } from '../spec/spec-folder.ts'

const preview: InputPreview = {
  columns: ['id', 'subject', 'body', 'odd name'],
  format: 'csv',
  files: ['data/tickets.csv'],
  bytesTotal: 1_234_567,
  rowsTotal: null,
  notes: ['delimiter ","'],
}
const price: Price = {
  inputNanoPerMillion: 250_000_000,
  outputNanoPerMillion: 2_000_000_000,
  cachedInputNanoPerMillion: null,
  cacheWriteNanoPerMillion: null,
  source: 'spec',
}

const tools = (more: Partial<CheckTools> = {}): CheckTools => ({
  env: (name) => ({ OPENAI_API_KEY: 'secret' })[name],
  describeInput: async () => preview,
  price: () => price,
  hasBatches: () => true,
  hasFlex: () => true,
  ...more,
})

async function check(text: string, more: Partial<CheckTools> = {}): Promise<string[]> {
  const env = { HOME: '/home/me' }
  return lines(await checkSpec(await readText(text, { env }), tools(more)))
}
const problems = async (text: string, more: Partial<CheckTools> = {}) =>
  (await check(text, more)).filter((line) => !line.startsWith('ok '))

const GOOD = `version: 1
name: triage
vars: { language: English }
input:
  source: data/tickets.csv
  key: id
  where: "body.size > 0"
model:
  id: openai/gpt-5-mini
prompt:
  system: Answer in {{ vars.language }}.
  user: |
    Subject: {{ subject }}
    {{ row["odd name"] }} {% if body %}{{ body | truncate_tokens: 3000 }}{% endif %}
output:
  fields:
    topic: enum[billing, login]
    urgent: boolean
  checks:
    - { that: "output.topic != 'billing' or output.urgent", message: bills are urgent }
`

describe('checkSpec', () => {
  it('says of a good spec that all is well', async () => {
    expect(await check(GOOD)).toEqual([
      'ok s.yaml:1 the spec is valid',
      'ok - input: data/tickets.csv, csv, 1.2 MB, 4 columns, key column "id", delimiter ","',
      'ok - templates: 3 of 4 columns used, all present',
      'ok - model: openai/gpt-5-mini, key set, $0.2500 in, $2.00 out per million tokens (spec)',
    ])
  })

  it('finds every error at once, in the spec, its templates, its input and its models', async () => {
    const bad = GOOD.replace('key: id', 'key: Id_')
      .replace('openai/gpt-5-mini', 'opnai/gpt-5-mini')
      .replace('{{ subject }}', '{{ subjct }}')
      .replace('{{ vars.language }}', '{{ vars.langauge }} {{ language }}')
      .replace('body.size', 'bdy.size')
      .replace('topic: enum', 'subject: enum')
      .replace('urgent: boolean', 'urgent: boolan')
      .concat('execution: { lane: fast, retires: 3 }\n')
    expect(await check(bad)).toEqual([
      'ok - input: data/tickets.csv, csv, 1.2 MB, 4 columns, delimiter ","',
      'error s.yaml:6:8 the input has no column "Id_" | did you mean "id"?',
      'error s.yaml:7:11 unknown column "bdy" | did you mean "body"?',
      'error s.yaml:9:7 unknown provider "opnai" | did you mean "openai"?',
      'error s.yaml:11:24 unknown variable "vars.langauge" | did you mean "language"?',
      'error s.yaml:11:44 unknown column "language" | did you mean vars.language?',
      'error s.yaml:13:17 unknown column "subjct" | did you mean "subject"?',
      'error s.yaml:17:5 the output field "subject" is named like an input column | Rename the field, for example to "subject_label".',
      'error s.yaml:18:13 output.fields.urgent: unknown type "boolan" | did you mean "boolean"?',
      'error s.yaml:20:16 unknown output field "topic" | The fields are "subject", "urgent".',
      'error s.yaml:21:20 execution.lane must be one of "live", "batch", "auto", got "fast"',
      'error s.yaml:21:26 unknown key "retires" in execution | did you mean "retries"?',
    ])
  })
})

describe('the lane batch', () => {
  const batch = GOOD.concat('execution: { lane: batch }\n')

  it('is as good as live where the provider has a batch API', async () => {
    expect(await problems(batch)).toEqual([])
  })

  it('is refused for a model without one, and a fallback without one is warned of', async () => {
    const fallback = batch.replace('model:\n', 'model:\n  fallback: [{ id: openai/other, when: [refused] }]\n')
    expect(await problems(fallback, { hasBatches: ({ id }) => id !== 'openai/gpt-5-mini' })).toEqual([
      expect.stringMatching(
        /^error .*openai\/gpt-5-mini has no batch API that sluice knows \| Write execution.lane: live, or choose another model\.$/,
      ),
    ])
    expect(await problems(fallback, { hasBatches: ({ id }) => id === 'openai/gpt-5-mini' })).toEqual([
      expect.stringMatching(/^warning .*model.fallback\[0\]: openai\/other has no batch API .* its rows go live/),
    ])
  })

  it('is warned of where nobody knows what it costs', async () => {
    expect(await problems(batch, { price: () => null })).toEqual([
      expect.stringContaining('the price of openai/gpt-5-mini is not known'),
      expect.stringContaining('what a batch costs is not known'),
    ])
  })
})

describe('the lane auto', () => {
  const auto = GOOD.concat('execution: { lane: auto, deadline: 12h }\n')
  const neither = { hasBatches: () => false, hasFlex: () => false }

  it('has something to choose where the provider has a batch API or flex', async () => {
    expect(await problems(auto, { hasFlex: () => false })).toEqual([])
    expect(await problems(auto, { hasBatches: () => false })).toEqual([])
  })

  it('is warned of where all that is left is live, at the deadline if that alone asked for it', async () => {
    const warning = 'auto is live: openai/gpt-5-mini has neither a batch API nor flex that sluice knows'
    expect(await problems(auto, neither)).toEqual([`warning s.yaml:21:20 ${warning} | It costs what live costs.`])
    const asked = GOOD.concat('execution: { deadline: 12h }\n')
    expect(await problems(asked, neither)).toEqual([expect.stringMatching(/^warning s\.yaml:21:\d+ auto is live: /)])
  })
})

describe('a deadline', () => {
  it.each(['live', 'batch'])('that the lane %s does nothing about is warned of', async (lane) => {
    expect(await problems(GOOD.concat(`execution: { lane: ${lane}, deadline: 12h }\n`))).toEqual([
      expect.stringMatching(
        `^warning .*execution.deadline is watched, and nothing is done about it: the lane is ${lane} \\| With execution.lane: auto`,
      ),
    ])
  })
})

describe('a broken spec', () => {
  it.each<[string, string, string[]]>([
    [
      'an empty file',
      '',
      [
        'error s.yaml:1:1 the file is empty | A spec is a mapping of keys: name, input, model, prompt, output, … `sluice init` writes one.',
      ],
    ],
    [
      'a list',
      '- name: x\n',
      [
        'error s.yaml:1:1 the file holds a list, not a spec | A spec is a mapping of keys: name, input, model, prompt, output, … `sluice init` writes one.',
      ],
    ],
    [
      'a tab',
      'name: x\ninput:\n\tsource: y\n',
      ['error s.yaml:3:1 a tab is used for indentation | YAML is indented with spaces: replace the tab by two.'],
    ],
    [
      'a key twice',
      `${GOOD}name: other\n`,
      ['error s.yaml:21:1 the key "name" stands here a second time | Keep one of the two.'],
    ],
    [
      'a spec from the future',
      'version: 7\nnme: x\n',
      ['error s.yaml:1:10 spec version 7 was written for a newer sluice | Update sluice; this one reads version 1.'],
    ],
    [
      'missing blocks',
      'name: x\n',
      [
        'error s.yaml:1:1 input is missing | Which rows. Either `source` or `sql` is given.',
        'error s.yaml:1:1 model is missing | Which model is asked, and how.',
        'error s.yaml:1:1 prompt is missing | Liquid templates over the columns (`{{ subject }}`, `{{ row["odd name"] }}`) and `vars`; rendered once, byte for byte.',
      ],
    ],
    [
      'empty blocks',
      'name: x\ninput: {}\nmodel: { id: simulator/x }\nprompt: {}\n',
      [
        'error s.yaml:2:8 input has neither source nor sql | Name a file: source: data/tickets.csv.',
        'error s.yaml:4:9 prompt has neither system nor user | Say what the model should do with a row.',
      ],
    ],
    [
      'a wrong fallback',
      GOOD.replace(
        'openai/gpt-5-mini',
        'openai/gpt-5-mini\n  fallback: [{ id: mock/x, when: [shema_invalid, cancelled], max_share: 5 }]',
      ),
      [
        'warning s.yaml:10:50 no model is asked after cancelled: a fallback never sees it',
        'error s.yaml:10:20 unknown provider "mock" | did you mean "simulator"?',
        'error s.yaml:10:35 model.fallback[0].when[0] must be one of 21 known names, got "shema_invalid" | did you mean "schema_invalid"?',
        'error s.yaml:10:73 model.fallback[0].max_share must be a share such as 99% or 0.99, got 5',
      ],
    ],
    [
      'a broken template in a block',
      GOOD.replace('Subject: {{ subject }}', 'Subject: {{ subject | upcas }}\n    {% iff body %}'),
      [
        expect.stringMatching(/^error s\.yaml:13:\d+ .*upcas/) as unknown as string,
        expect.stringMatching(/^error s\.yaml:14:\d+ .*iff/) as unknown as string,
      ],
    ],
    [
      'a broken condition',
      GOOD.replace('body.size > 0', 'body.size >'),
      [expect.stringMatching(/^error s\.yaml:7:\d+ /) as unknown as string],
    ],
    [
      'a broken schema',
      GOOD.replace(
        /output:[\s\S]*/,
        'output:\n  schema:\n    type: object\n    required: [topik]\n    additionalProperties: false\n    properties:\n      topic: { type: strng }\n      n: { type: number, minimum: "0", maximun: 5 }\n      _x: { type: string }\n',
      ),
      [
        'warning s.yaml:22:40 output.schema.properties.n.maximun is no keyword of JSON Schema | did you mean "maximum"?',
        'error s.yaml:18:16 required names "topik", which is no property | did you mean "topic"?',
        'error s.yaml:21:22 output.schema.properties.topic.type is no type of JSON Schema, got "strng" | did you mean "string"?',
        'error s.yaml:22:35 output.schema.properties.n.minimum must be number, got "0"',
        'error s.yaml:23:7 the output field "_x" starts with _ | Columns with _ are sluice\'s own: rename it, for example to "x".',
      ],
    ],
    [
      'a schema that is no object',
      GOOD.replace(/output:[\s\S]*/, 'output:\n  schema: { type: array, items: { type: string } }\n'),
      [
        'error s.yaml:16:19 output.schema: the root must be an object, got "array" | Its properties become the output columns.',
      ],
    ],
    [
      'a schema that cannot be compiled',
      GOOD.replace(/output:[\s\S]*/, 'output:\n  schema:\n    properties:\n      a: { $ref: "#/$defs/none" }\n'),
      [
        "error s.yaml:17:5 output.schema: can't resolve reference #/$defs/none from id # | See https://json-schema.org/understanding-json-schema.",
      ],
    ],
    [
      'names with an underscore',
      GOOD.replace('urgent: boolean', '_urgent: boolean').replace(' or output.urgent', ''),
      [
        'error s.yaml:18:5 the output field "_urgent" starts with _ | Columns with _ are sluice\'s own: rename it, for example to "urgent".',
      ],
    ],
    [
      'three kinds of output',
      GOOD.replace('output:\n', 'output:\n  schema: {}\n  file: x.json\n'),
      ['error s.yaml:16:3 output has fields and schema and file | Keep one: fields (the short form), schema or file.'],
    ],
    [
      'source and sql',
      GOOD.replace('key: id', 'sql: select 1'),
      ['error s.yaml:6:3 input has both source and sql | Keep one of the two.'],
    ],
    [
      'an address without a path',
      GOOD.replace('openai/gpt-5-mini', 'openai-compatible/x'),
      [
        'error s.yaml:8:1 model.base_url is missing | An openai-compatible model needs its address: http://localhost:8000/v1.',
      ],
    ],
    [
      'numbers in the wrong clothes',
      GOOD.concat(
        'tags: { cost_center: 4410 }\nwrite: { path: out.csv, include_input: yes }\nexecution: { timeout: { request: 0s, job: 60 } }\ngates: { min_success: 99 }\nbudget: { row_tokens: 1.5 }\n',
      ),
      [
        'error s.yaml:21:22 tags.cost_center must be text, got 4410 | Quote it: "4410".',
        'error s.yaml:22:40 write.include_input must be true or false, got "yes" | In YAML 1.2 that is text: write true.',
        'error s.yaml:23:34 execution.timeout.request must be at least 1ms and at most 24d, got "0s"',
        'error s.yaml:23:43 execution.timeout.job must be a duration such as 500ms, 60s, 2m or 24h, got 60',
        'error s.yaml:24:23 gates.min_success must be a share such as 99% or 0.99, got 99',
        'error s.yaml:25:23 budget.row_tokens must be a whole number of at least 1, got 1.5',
      ],
    ],
    [
      'keys in the wrong block',
      GOOD.replace(
        'id: openai/gpt-5-mini',
        'id: openai/gpt-5-mini\n  max_tokens: 100\n  concurrency: 5\n  colour: red',
      ),
      [
        'error s.yaml:10:3 unknown key "max_tokens" in model | did you mean "model.params.max_output_tokens"?',
        'error s.yaml:11:3 unknown key "concurrency" in model | did you mean "execution.concurrency"?',
        'error s.yaml:12:3 unknown key "colour" in model | Known here: id, base_url, api_key_env, params, price, fallback.',
      ],
    ],
  ])('with %s', async (_name, text, expected) => {
    expect(await problems(text)).toEqual(expected)
  })
})

describe('what is no error', () => {
  const warnings = async (text: string, more: Partial<CheckTools> = {}) => problems(text, more)

  it('is a missing key or price: a warning', async () => {
    const found = await warnings(GOOD, { env: () => undefined, price: () => null })
    expect(found).toEqual([
      expect.stringMatching(
        /^warning s\.yaml:9:7 the price of openai\/gpt-5-mini is not known: costs will be shown as unknown \| Give it: model\.price: /,
      ),
      expect.stringMatching(/^warning s\.yaml:9:7 the key of openai is not set: OPENAI_API_KEY is empty/),
    ])
  })

  it('but a gate on a cost that cannot be known is one', async () => {
    const found = await warnings(`${GOOD}gates: { max_cost_per_row_usd: 0.01 }\n`, { price: () => null })
    expect(found).toEqual([expect.stringMatching(/^error s\.yaml:9:7 the price .* cannot be judged/)])
  })

  it('is a prompt that uses no column: a note', async () => {
    const text = GOOD.replace(/ {2}user: \|\n.*\n.*\n/, '  user: Label this ticket in {{ vars.language }}.\n')
    expect(await check(text)).toContain(
      'ok s.yaml:12:9 prompt.user names no column: the row follows it as one JSON object',
    )
  })

  it('are many fields, csv settings for another format, and names that hide columns', async () => {
    const fields = Array.from({ length: 12 }, (_, n) => `    f${n}: string`).join('\n')
    const text = GOOD.replace(
      /output:[\s\S]*/,
      `output:\n  fields:\n${fields}\n    Body: string\n  checks:\n    - { that: "body.size > 1" }\n`,
    ).replace('key: id', 'key: id\n  csv: { header: true }')
    const found = await warnings(text, {
      describeInput: async () => ({ ...preview, format: 'jsonl', columns: [...preview.columns, 'vars'] }),
    })
    expect(found).toEqual([
      'warning s.yaml:5:3 in templates the name vars is taken: the column "vars" stands at row["vars"]',
      'warning s.yaml:7:8 input.csv has no effect: the input is jsonl',
      'warning s.yaml:17:3 output has 13 fields | Simpler schemas are answered right more often.',
      'warning s.yaml:30:5 the output field "Body" differs from the input column "body" in case only | Parquet readers and SQL take the two for one.',
      'warning s.yaml:32:15 this check does not look at output | Whatever the model answers, it stays as it is.',
    ])
  })
})

describe('an input', () => {
  it('that cannot be read is an error at its place, and does not hide the others', async () => {
    const describeInput = async () => {
      throw new SluiceError('input_missing', 'there is no file data/tickets.csv', {
        hint: 'did you mean "data/tickets.tsv"?',
      })
    }
    expect(await problems(GOOD.replace('{{ vars.language }}', '{{ vars.lang }}'), { describeInput })).toEqual([
      'error s.yaml:5:11 there is no file data/tickets.csv | did you mean "data/tickets.tsv"?',
      'error s.yaml:11:24 unknown variable "vars.lang" | Declare it under vars:, with a value.',
    ])
  })

  it('may have no column of the results, nor `answer` where that is the output', async () => {
    const text = GOOD.replace(/output:[\s\S]*/, '')
    const found = await problems(text, {
      describeInput: async () => ({ ...preview, columns: [...preview.columns, 'answer', '_status'] }),
    })
    expect(found).toEqual([
      'error s.yaml:1:1 the output field "answer" is named like an input column | Give the answer a name of its own: output: { fields: { reply: string } }.',
      expect.stringMatching(
        /^error s\.yaml:5:3 the input column "_status" is named like a column of the results \| Leave it out/,
      ),
    ])
  })

  it('whose reader fails in a way of its own is not swallowed', async () => {
    await expect(
      check(GOOD, {
        describeInput: async () => {
          throw new TypeError('a defect')
        },
      }),
    ).rejects.toThrow('a defect')
  })
})
