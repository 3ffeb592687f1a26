import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const WORDS =
  'the invoice was charged twice and nobody answers my mail since the last update of your app cannot log in please help'.split(
    ' ',
  )

/** The text of row `index`: about 300 bytes, different for each row. */
export function bodyOf(index: number): string {
  const words = Array.from({ length: 50 }, (_, at) => WORDS[(index * 7 + at * 13) % WORDS.length])
  return `Ticket ${index}: ${words.join(' ')}.`
}

/** Writes `rows` tickets as CSV, streaming. */
export async function writeTickets(path: string, rows: number): Promise<void> {
  const out = createWriteStream(path)
  out.write('ticket_id,subject,body\n')
  for (let index = 0; index < rows; index += 1) {
    if (!out.write(`t${index},"Subject, of ${index}","${bodyOf(index)}"\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'finish')
}

/** Writes the benchmark's spec beside the tickets; returns its path. */
export async function writeBenchSpec(dir: string, port: number, concurrency: number): Promise<string> {
  const path = join(dir, 'bench.yaml')
  await writeFile(
    path,
    `version: 1
name: bench
input: { source: tickets.csv, key: ticket_id }
model:
  id: openai-compatible/bench-model
  base_url: http://127.0.0.1:${port}/v1
  params: { temperature: 0, max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt:
  system: You label support tickets. Use only the allowed values.
  user: |
    Subject: {{ subject }}
    {{ body }}
output:
  fields: { topic: "enum[billing, login, bug, refund, other]", urgent: boolean, confidence: number(0..1) }
execution: { concurrency: { max: ${concurrency} } }
`,
  )
  return path
}

/** What all the contestants are asked to produce. */
export const BENCH_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['topic', 'urgent', 'confidence'],
  properties: {
    topic: { type: 'string', enum: ['billing', 'login', 'bug', 'refund', 'other'] },
    urgent: { type: 'boolean' },
    confidence: { type: 'number', minimum: 0, maximum: 1 },
  },
} as const
