import { type Static, Type } from 'typebox'
import { NOTIFY_BY_DEFAULT, NOTIFY_EVENTS } from '../domain/notice.ts'
import { alertsBlock } from './schema-alerts.ts'
import { modelBlock } from './schema-model.ts'
import { block, count, duration, later, money, share, text } from './schema-part.ts'

const inputBlock = block('Which rows. Either `source` or `sql` is given.', {
  source: Type.Optional(
    text('A file (csv, tsv, jsonl, json, parquet, .gz of these) or a glob, relative to the spec.', { minLength: 1 }),
  ),
  sql: Type.Optional(
    text("Any DuckDB query over files, instead of `source`: select * from 'data/*.parquet' where lang = 'en'.", {
      minLength: 1,
    }),
  ),
  key: Type.Optional(
    text("The column that names a row; its values must be unique. Default: the row's index.", { minLength: 1 }),
  ),
  where: Type.Optional(text('A Liquid condition over the columns; rows that fail it are skipped.', { minLength: 1 })),
  limit: Type.Optional(count('Takes only so many rows from the start of the input. Default: all.', 1)),
  format: Type.Optional(
    Type.Enum(['csv', 'tsv', 'jsonl', 'json', 'parquet'], {
      description: "How to read `source`. Default: by the file's name.",
    }),
  ),
  csv: Type.Optional(
    block('How to read csv and tsv. Default: found by looking at the file, and shown.', {
      delimiter: Type.Optional(
        text('One character between the fields: `","`, `";"`, `"\\t"`.', {
          pattern: '^[^"\\r\\n]$',
          errorMessage: 'must be one character, such as ";" or "\\t"',
        }),
      ),
      header: Type.Optional(Type.Boolean({ description: 'Whether the first line names the columns.' })),
      encoding: Type.Optional(
        Type.Enum(['utf-8', 'utf-16le', 'utf-16be', 'latin1'], { description: 'The encoding of the file.' }),
      ),
    }),
  ),
})

const promptBlock = block(
  'Liquid templates over the columns (`{{ subject }}`, `{{ row["odd name"] }}`) and `vars`; rendered once, byte for byte.',
  {
    system: Type.Optional(text('What holds for every row.')),
    user: Type.Optional(text('What is asked of each row. If it names no column, the row follows as one JSON object.')),
  },
)

const outputBlock = block('What an answer is. Without fields, schema or file: plain text in the column `answer`.', {
  fields: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description:
        'The short form: a name and a type for each field, all required. Types: string, number, number(0..1), integer, boolean, enum[a, b]; [] after a type makes a list, ? allows null; a mapping nests.',
    }),
  ),
  schema: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'A JSON Schema (2020-12) whose root is an object; its properties are the output columns, in order.',
    }),
  ),
  file: Type.Optional(text('A JSON or YAML file that holds such a schema, relative to the spec.', { minLength: 1 })),
  checks: Type.Optional(
    Type.Array(
      block('One rule beyond the schema.', {
        that: text('A Liquid condition over the columns and `output` that must hold.', { minLength: 1 }),
        message: Type.Optional(text('What the model and you are told when it does not. Default: the condition.')),
      }),
      { description: 'Rules beyond the schema. An answer that breaks one is asked for again.' },
    ),
  ),
  on_invalid: Type.Optional(
    block('What happens to an answer that does not fit.', {
      attempts: Type.Optional(
        count(
          'Times a row may be asked for a fitting answer: 1 normal, 2 the errors are fed back, 3 the last try.',
          1,
          { default: 3, maximum: 20 },
        ),
      ),
    }),
  ),
})

const executionBlock = block('How the work is done.', {
  lane: Type.Optional(
    Type.Enum(['live', 'batch', 'auto'], {
      description:
        "How requests travel: `live` now, `batch` by the provider's batch API, at half price and within a day, `auto` the cheapest that meets the deadline. Default: live, or auto where a deadline is given.",
    }),
  ),
  batch: Type.Optional(
    block('How the lanes `batch` and `auto` go through batches; it says nothing to `live`.', {
      retry: Type.Optional(
        Type.Enum(['batch', 'live'], {
          default: 'batch',
          description:
            'How rows are asked again that failed in a batch, or whose answers do not fit: in the next batch, or live at once, at full price.',
        }),
      ),
      requests: Type.Optional(
        count('Requests in one batch at the most. Default: as many as the provider takes.', 1, { maximum: 1_000_000 }),
      ),
      queue_tokens: Type.Optional(
        count(
          "The account's limit on input tokens that wait in batches of this model, where the provider has one. Default: found out by being refused.",
          1,
        ),
      ),
      poll: Type.Optional(duration('The longest pause between two looks at a batch; it begins with short ones.', '5m')),
      recall: Type.Optional(
        duration(
          'How long a batch may take to end that is called back, because the deadline of `auto` is near. OpenAI says ten minutes.',
          '15m',
        ),
      ),
    }),
  ),
  deadline: Type.Optional(duration('How long after its start the job should be done. The lane `auto` sees to that.')),
  chunk_rows: Type.Optional(
    count(
      'Rows in a chunk, the unit of progress and retry. Default: 200; a twentieth of a smaller job, at least 10.',
      1,
      { maximum: 100_000 },
    ),
  ),
  chunks_in_flight: Type.Optional(count('Chunks worked on at once.', 1, { default: 5, maximum: 1000 })),
  chunk_attempts: Type.Optional(
    count('Workers that may die over a chunk, without a row of it ending in between, before it is given up.', 1, {
      default: 3,
      maximum: 100,
    }),
  ),
  concurrency: Type.Optional(
    block('Requests in flight.', {
      max: Type.Optional(count('The most requests in flight; adaptive below it.', 1, { default: 64, maximum: 10_000 })),
    }),
  ),
  limits: Type.Optional(
    block(
      'What this account may send, over all jobs that use it. Where the provider says less, that holds. Default: learned from the provider.',
      {
        rpm: Type.Optional(count('Requests per minute.', 1)),
        tpm: Type.Optional(count('Tokens per minute, input and output together.', 1)),
        itpm: Type.Optional(count('Input tokens per minute.', 1)),
        otpm: Type.Optional(count('Output tokens per minute.', 1)),
        rpd: Type.Optional(count('Requests per day.', 1)),
        tpd: Type.Optional(count('Tokens per day, input and output together.', 1)),
      },
    ),
  ),
  timeout: Type.Optional(
    block('Waiting for a limit does not count.', {
      request: Type.Optional(duration('For one request, to its last byte.', '120s')),
      job: Type.Optional(duration('For the job, pauses not counted. Default: none.')),
    }),
  ),
  retries: Type.Optional(
    count('Times a row is asked again after a time-out, a broken connection or an error of the provider.', 0, {
      default: 4,
      maximum: 100,
    }),
  ),
  cache: Type.Optional(
    Type.Enum(['off', 'job', 'spec', 'tenant'], {
      default: 'spec',
      description:
        "Which answers may be reused: none, this job's, those of every version of the spec of this name, or all of the tenant's.",
    }),
  ),
})

const budgetBlock = block('What may be used at most; checked before each request.', {
  usd: Type.Optional(money('Dollars for the job, over all of its rounds. Needs `model.params.max_output_tokens`.')),
  tokens: Type.Optional(count('Tokens for the job, input and output, over all of its rounds.', 1)),
  row_tokens: Type.Optional(count('Tokens that all attempts of one row may use together, input and output.', 1)),
  on_exceed: Type.Optional(
    Type.Enum(['pause', 'stop'], {
      default: 'pause',
      description: 'What happens when the next request might pass the budget: the job waits for a raise, or it ends.',
    }),
  ),
})

/** The shape of a spec file (contract §6): the one source of validation, of the editors' schema and of the table in docs/spec.md. */
export const SPEC_SCHEMA = block('A sluice spec: which rows, which model, what to ask, what an answer is.', {
  version: Type.Optional(
    Type.Literal(1, { default: 1, description: 'The version of this format.', errorMessage: 'must be 1' }),
  ),
  name: text('Names the work; earlier answers are reused under it.', {
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
    errorMessage: 'must be letters, digits, dots, dashes and underscores, at most 100, such as ticket-triage',
  }),
  description: Type.Optional(text('For people.')),
  tags: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Every line of the ledger carries these. Values are text: quote numbers.',
    }),
  ),
  vars: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Union([Type.String(), Type.Number(), Type.Boolean()], {
        errorMessage: 'must be text, a number, true or false',
      }),
      {
        description: '`{{ vars.language }}` in prompts; `--var language=French` overrides.',
      },
    ),
  ),
  input: inputBlock,
  model: modelBlock,
  prompt: promptBlock,
  output: Type.Optional(outputBlock),
  execution: Type.Optional(executionBlock),
  priority: Type.Optional(
    Type.Enum(['high', 'normal', 'low'], { default: 'normal', description: 'Which job goes first.' }),
  ),
  budget: Type.Optional(budgetBlock),
  gates: Type.Optional(
    block('What decides whether a finished job has passed (exit 0) or not (exit 3).', {
      min_success: Type.Optional(share('The least share of ok among ok and failed rows: 99%.')),
      max_cost_per_row_usd: Type.Optional(money('The most that a row may cost on average, in dollars.')),
    }),
  ),
  pause_if: Type.Optional(
    block('Pauses a job that goes wrong, with the reason `error_rate`.', {
      failed_over: share('The share of failed among ended rows: 20%.'),
      after_rows: Type.Optional(count('Rows that must have ended before it is looked at.', 1, { default: 100 })),
    }),
  ),
  notify: Type.Optional(
    Type.Array(
      block('One place to tell: a webhook, or Slack.', {
        webhook: Type.Optional(
          text(`Where it is posted: an address, or \`\${HOOK_URL}\`, which is read when it is sent.`),
        ),
        slack: Type.Optional(text('The same, for an incoming webhook of Slack, or of what takes its form.')),
        secret_env: Type.Optional(text('The NAME of a variable with the secret that signs it: `whsec_…`.')),
        when: Type.Optional(
          Type.Array(Type.Enum([...NOTIFY_EVENTS]), {
            default: [...NOTIFY_BY_DEFAULT],
            minItems: 1,
            description:
              'Of what: states; `budget`, that 50, 80 or 100 % of a budget are used; `alert`, that a rule of `alerts` is broken.',
          }),
        ),
      }),
      { description: 'Who is told when the job ends or pauses, or how it stands.' },
    ),
  ),
  alerts: Type.Optional(alertsBlock),
  write: Type.Optional(
    block('Where the results are written when the job ends.', {
      path: text('A csv, jsonl or parquet file, relative to the spec.', { minLength: 1 }),
      include_input: Type.Optional(
        Type.Boolean({ default: true, description: 'Whether the input columns are in it too.' }),
      ),
    }),
  ),
  retention: Type.Optional(
    later(
      block('How long what a job leaves behind is kept.', {
        rows: Type.Optional(duration('Rows and their answers.')),
        snapshot: Type.Optional(duration('The copy of the input.')),
      }),
    ),
  ),
})

/** A spec file, valid by its shape. */
export type SpecFile = Static<typeof SPEC_SCHEMA>
