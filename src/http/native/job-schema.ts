import { Type } from 'typebox'
import { CHUNK_STATES } from '../../domain/chunk.ts'
import { CAUSES } from '../../domain/failure.ts'
import { JOB_STATES, PAUSE_REASONS } from '../../domain/job.ts'
import { OUTCOME_STATES } from '../../domain/row.ts'
import { exactly, mapping, moment, nullable, oneOfTexts, ref } from '../answer.ts'

const whole = (description?: string) => Type.Integer({ minimum: 0, ...(description && { description }) })
const usd = (description: string) => nullable(Type.Number({ description }))

/** Which job, in an address. */
export const JOB_PATH = exactly({
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'Id of the job: `job_…`.' }),
})

/** One job. */
export const JOB = exactly(
  {
    job_id: Type.String(),
    spec: Type.String({ description: 'Name of its spec.' }),
    spec_hash: Type.String({ description: 'The version of the spec that it runs.' }),
    model: Type.String(),
    state: oneOfTexts(JOB_STATES),
    reason: nullable(
      oneOfTexts([...PAUSE_REASONS, 'gate', 'timeout', 'intake', 'error'], {
        description: 'Why it is paused, or failed.',
      }),
    ),
    detail: nullable(Type.String({ description: 'One sentence on the reason.' })),
    wanted: nullable(oneOfTexts(['pause', 'cancel'], { description: 'What was asked for and is not done yet.' })),
    round: whole('0 is the first pass; each retry adds one.'),
    job_key: nullable(Type.String()),
    trigger_ref: nullable(Type.String({ description: 'What it was made for.' })),
    rows: exactly({
      total: whole('Grows while the input is read.'),
      succeeded: whole(),
      failed: whole(),
      skipped: whole(),
      cancelled: whole(),
      cached: whole('Of the succeeded: answers that were reused.'),
    }),
    rows_done: whole('Rows that have their outcome.'),
    attempts: whole(),
    tokens: exactly({ input: whole(), cached: whole(), output: whole() }),
    cost_usd: usd('What it has cost so far; null: no price is known.'),
    created_at: moment('When it was created.'),
    ended_at: nullable(moment('When it was over.')),
    elapsed_s: Type.Number({ description: 'Time that it was active, its pauses left out.' }),
    budget: nullable(mapping('Limits, what is spent, reserved and projected.')),
    lane: oneOfTexts(['live', 'batch', 'auto']),
    route: nullable(mapping('The way that `auto` takes, and why.')),
    deadline: nullable(mapping('When it should be done, and how it stands to that.')),
    turnarounds: nullable(mapping('How long batches of its account took lately.')),
    batches: nullable(mapping('What of it is in batches of the provider.')),
    eta_s: nullable(
      Type.Number({ description: 'Seconds that the rest takes at the pace so far; null: nobody can tell.' }),
    ),
    chunks: exactly({ total: whole(), done: whole() }),
    causes: Type.Unsafe<Record<string, number>>({
      type: 'object',
      additionalProperties: { type: 'integer' },
      description: 'Failed rows by cause.',
    }),
    settings: exactly({
      concurrency: nullable(whole()),
      priority: nullable(oneOfTexts(['high', 'normal', 'low'])),
      budget_usd: usd('null: as the spec says.'),
      budget_tokens: nullable(whole()),
    }),
  },
  { $id: 'Job', description: 'One job as it stands.' },
)

/** One chunk of a job. */
export const CHUNK = exactly(
  {
    chunk_id: whole(),
    state: oneOfTexts(CHUNK_STATES),
    first_row: whole('Index of its first row.'),
    rows: exactly({
      total: whole(),
      succeeded: whole(),
      failed: whole(),
      skipped: whole(),
      cancelled: whole(),
      cached: whole(),
    }),
    worker: nullable(Type.String({ description: 'Who works on it.' })),
    deaths: whole('Workers that died over it.'),
    round: whole(),
    done_no: nullable(whole('The how manieth chunk it was that was done.')),
    attempts: whole(),
    tokens: exactly({ input: whole(), cached: whole(), output: whole() }),
    cost_usd: usd('null: no price is known.'),
  },
  { $id: 'Chunk' },
)

const rowProperties = {
  row_id: Type.String({ description: 'The value of `input.key`, else the index.' }),
  row_index: whole(),
  chunk_id: whole(),
  state: oneOfTexts(OUTCOME_STATES),
  cause: nullable(oneOfTexts(CAUSES)),
  message: nullable(Type.String()),
  output: Type.Unsafe<unknown>({ description: 'The accepted answer; null: there is none.' }),
  model: nullable(Type.String()),
  lane: nullable(oneOfTexts(['live', 'batch', 'cache'])),
  attempts: whole('Of its last round.'),
  input_tokens: whole(),
  output_tokens: whole(),
  cost_usd: usd('null: no price is known.'),
  latency_ms: nullable(Type.Number()),
  round: whole(),
  spec_hash: Type.String(),
  ended_at: moment('When it had its outcome.'),
}

/** One row that has its outcome. */
export const ROW = exactly(rowProperties, { $id: 'Row' })

/** One row with all that is known of it. */
export const ROW_IN_FULL = exactly(
  {
    row_id: rowProperties.row_id,
    input: nullable(mapping('By column; null: the line could not be read.')),
    last_reply: nullable(
      Type.String({ description: 'What a failed row was answered last, or the line that could not be read.' }),
    ),
    outcome: nullable(ref(ROW)),
    attempts: Type.Array(mapping('One attempt, of any round, oldest first.')),
  },
  { $id: 'RowInFull' },
)
