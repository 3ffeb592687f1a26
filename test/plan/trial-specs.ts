import { existsSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SimulatorOptions } from '../../src/simulator/options.ts'

/** A spec to plan and then to run, over an input of its own and against a provider that behaves in its own way. */
export interface TrialSpec {
  readonly name: string
  /** Writes the input into a folder; returns its name there. */
  readonly input: (dir: string) => Promise<string>
  /** What stands in the spec beside name, source, model and price. */
  readonly body: string
  readonly maxOutputTokens: number
  readonly provider: Omit<SimulatorOptions, 'nowMs'>
}

const SHARED = new URL('../../../shared/data/', import.meta.url).pathname

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function drawer(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const WORDS =
  'please refund the order because delivery was late and nobody answered our letters about broken screens or missing parts in the invoice that your office sent us last week'.split(
    ' ',
  )
const GREEK = 'καλημέρα η παραγγελία μου άργησε και το πακέτο ήταν ανοιχτό θέλω πίσω τα χρήματα ευχαριστώ πολύ'.split(
  ' ',
)

/** Texts whose lengths are log-normal; `repeats`: the share that say what another said before. */
function texts(
  rows: number,
  seed: number,
  options: {
    readonly words?: readonly string[]
    readonly spread?: number
    readonly median?: number
    readonly repeats?: number
  } = {},
): (dir: string) => Promise<string> {
  const { words = WORDS, spread = 0.8, median = 30, repeats = 0 } = options
  return async (dir) => {
    const draw = drawer(seed)
    const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw())
    const said: string[] = []
    for (let row = 0; row < rows; row++) {
      const isRepeat = draw() < repeats && said.length > 0
      const length = Math.max(3, Math.round(median * Math.exp(spread * normal())))
      const text = Array.from({ length }, () => words[Math.floor(draw() * words.length)]).join(' ')
      said.push(isRepeat ? (said[Math.floor(draw() * said.length)] as string) : text)
    }
    await writeFile(
      join(dir, 'rows.jsonl'),
      said.map((text, id) => `${JSON.stringify({ id: `r${id}`, text })}\n`).join(''),
    )
    return 'rows.jsonl'
  }
}

/** A table of the shared data, or texts where it is not there. */
function table(path: string, otherwise: (dir: string) => Promise<string>): (dir: string) => Promise<string> {
  return async (dir) => {
    if (!existsSync(join(SHARED, path))) return otherwise(dir)
    await copyFile(join(SHARED, path), join(dir, 'rows.csv'))
    return 'rows.csv'
  }
}

const hasShared = existsSync(join(SHARED, 'companies/companies.csv'))

/** What the trial plans and runs: other data, other answers, and providers that fail in other ways. */
export const TRIAL_SPECS: readonly TrialSpec[] = [
  {
    name: 'intents',
    input: table('banking77/train.csv', texts(5000, 1)),
    body: `input: { limit: 5000 }
prompt: { system: "You label messages to a bank.", user: "{{ text }}" }
output: { fields: { topic: "enum[card, transfer, top_up, identity, other]", urgent: boolean } }`,
    maxOutputTokens: 60,
    provider: { seed: 11 },
  },
  {
    name: 'replies',
    input: table('banking77/test.csv', texts(3000, 2)),
    body: `input: { limit: 3000 }
prompt: { system: "Answer the customer in a friendly way.", user: "{{ text }}" }`,
    maxOutputTokens: 200,
    provider: { seed: 12 },
  },
  {
    name: 'companies',
    input: table('companies/companies.csv', texts(800, 3, { median: 120 })),
    body: `input: { limit: 700 }
prompt: { user: "${hasShared ? '{{ title }} {{ profile }}' : '{{ text }}'}" }
output: { fields: { summary: string, remote: "enum[yes, no, unknown]", skills: "string[]" } }`,
    maxOutputTokens: 400,
    provider: { seed: 13 },
  },
  {
    name: 'long-texts',
    input: texts(1500, 4, { spread: 1.2, median: 60 }),
    body: `prompt: { user: "Sum up: {{ text }}" }
output: { fields: { summary: string, keywords: "string[]" } }`,
    maxOutputTokens: 300,
    provider: { seed: 14 },
  },
  {
    name: 'bad-json',
    input: texts(2000, 5),
    body: `prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[late, broken, other]", why: string }, on_invalid: { attempts: 3 } }`,
    maxOutputTokens: 120,
    provider: { seed: 15, faults: { malformed: 0.05, schema_missing: 0.05 } },
  },
  {
    name: 'flaky-provider',
    input: texts(2000, 6),
    body: `prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[late, broken, other]" } }
execution: { retries: 6 }`,
    maxOutputTokens: 40,
    provider: { seed: 16, faults: { rate_limited: 0.02, server_error: 0.03, reset: 0.01 }, retryAfterMs: 20 },
  },
  {
    name: 'refusals',
    input: texts(1500, 7),
    body: `prompt: { user: "{{ text }}" }
output: { fields: { reply: string, urgent: boolean } }`,
    maxOutputTokens: 150,
    provider: { seed: 17, faults: { refusal: 0.04, content_filter: 0.04 } },
  },
  {
    name: 'repeats-and-where',
    input: texts(3000, 8, { repeats: 0.4 }),
    body: `input: { key: id, where: "text.size > 60" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[late, broken, other]", quote: string } }`,
    maxOutputTokens: 100,
    provider: { seed: 18 },
  },
  {
    name: 'cut-off',
    input: texts(1200, 9),
    body: `prompt: { user: "{{ text }}" }
output: { fields: { summary: string, quotes: "string[]", mood: "enum[angry, calm]" } }`,
    maxOutputTokens: 100,
    provider: { seed: 19, faults: { truncated: 0.02 } },
  },
  {
    name: 'greek',
    input: texts(2500, 10, { words: GREEK, spread: 0.6 }),
    body: `prompt: { system: "Απάντησε στα ελληνικά.", user: "{{ text }}" }
output: { fields: { reply: string, stars: "integer(1..5)" } }`,
    maxOutputTokens: 200,
    provider: { seed: 20 },
  },
]
