import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answered } from '../src/domain/completion.ts'
import type { Row } from '../src/domain/row.ts'
import type { Spec } from '../src/domain/spec.ts'
import { createRowProgram } from '../src/row/program.ts'

/** CPU time of `prepare` and `settle` for one row of a classification with 77 values: `node bench/row.ts`. */

const labels = Array.from({ length: 77 }, (_, index) => `card_payment_category_${index}`)

const spec: Spec = {
  version: 1,
  name: 'bench',
  description: null,
  tags: {},
  vars: { language: 'English' },
  input: {
    source: 'rows.csv',
    sql: null,
    format: null,
    key: null,
    where: process.argv.includes('--where') ? 'body.size > 0' : null,
    limit: null,
    csv: { delimiter: null, header: null, encoding: null },
  },
  model: {
    target: {
      id: 'openai/gpt-5-mini',
      baseUrl: null,
      apiKeyEnv: null,
      params: { temperature: 0, max_output_tokens: 200 },
    },
    price: null,
    fallback: [],
  },
  prompt: {
    system: 'You label support tickets in {{ vars.language }}. Use only the allowed values.',
    user: 'Subject: {{ subject }}\n{{ body | truncate_tokens: 3000 }}\n',
  },
  output: {
    schema: {
      type: 'object',
      properties: {
        category: { type: 'string', enum: labels },
        urgent: { type: 'boolean' },
        confidence: { type: 'number', minimum: 0, maximum: 1 },
      },
      required: ['category', 'urgent', 'confidence'],
      additionalProperties: false,
    },
    columns: ['category', 'urgent', 'confidence'],
    checks: [],
    onInvalid: { attempts: 3 },
  },
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
  budget: { usdNano: null, tokens: null, rowTokens: 8000, onExceed: 'pause' },
  gates: { minSuccess: null, maxCostPerRowNano: null },
  pauseIf: null,
  write: null,
}

const usage = { inputTokens: 300, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 0 }
const unknown = { limits: null, providerRequestId: null, latencyMs: 1, modelAnswered: null }

/** The median of `runs` measurements of `rows` rows each, in µs per row. */
function measure(name: string, rows: number, work: (index: number) => void): void {
  const times: number[] = []
  for (let run = 0; run < 7; run++) {
    const { user, system } = process.cpuUsage()
    for (let index = 0; index < rows; index++) work(index)
    const used = process.cpuUsage({ user, system })
    times.push((used.user + used.system) / rows)
  }
  times.sort((a, b) => a - b)
  console.log(`${name.padEnd(24)} ${(times[3] ?? 0).toFixed(1)} µs/row`)
}

const text = readFileSync(join(import.meta.dirname, '../LICENSE'), 'utf8')
const rows: readonly Row[] = Array.from({ length: 1000 }, (_, index) => ({
  index,
  id: String(index),
  values: [`Ticket ${index}`, text.slice(index * 5, index * 5 + 400)],
}))
const rowAt = (index: number) => rows[index % rows.length] as Row
const completions: readonly Answered[] = rows.map((_, index) => ({
  ok: true,
  text: JSON.stringify({ category: labels[index % 77], urgent: index % 2 === 0, confidence: 0.5 }),
  finish: 'stop',
  usage,
  ...unknown,
}))
const program = createRowProgram(spec, ['subject', 'body'])
const options = { fallbackAllowed: () => true }
const first = program.prepare(rowAt(0), [], options)
if (first.kind !== 'send') throw new Error('the first row has no request')

measure('prepare', 50_000, (index) => program.prepare(rowAt(index), [], options))
measure('settle, accepted', 50_000, (index) =>
  program.settle(rowAt(index), [], first, completions[index % 1000] as Answered),
)
measure('prepare and settle', 50_000, (index) => {
  const sent = program.prepare(rowAt(index), [], options)
  if (sent.kind === 'send') program.settle(rowAt(index), [], sent, completions[index % 1000] as Answered)
})
const fenced: Answered = {
  ok: true,
  text: 'Sure:\n```json\n{"category":"x", urgent: True,}\n```',
  finish: 'stop',
  usage,
  ...unknown,
}
measure('settle, repaired, unfit', 5_000, (index) => program.settle(rowAt(index), [], first, fenced))
