import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, tickets } from './job-folder.ts'

const ROWS = 1_000
/** 2,000 tokens, as the simulator counts them. */
const RULES = 'Choose only a topic that is allowed. '.repeat(217).slice(0, 8_000)

const PRICES = ['--price-input', '3.00', '--price-output', '15.00', '--price-cached-input', '0.30']

const spec = (model: string, url: string) => `version: 1
name: cached
input: { source: tickets.csv, key: id }
model:
  id: ${model}
  base_url: ${url}/v1
  api_key_env: PROVIDER_KEY
  params: { max_output_tokens: 100 }
  price: { input: "3.00", output: "15.00", cached_input: "0.30", cache_write: "3.75" }
prompt: { system: "${RULES}", user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]" } }
`

/** What one attempt used and cost, by kind: the same line from the ledger and from the invoice. */
interface Used {
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_write_tokens: number
  readonly output_tokens: number
  readonly cost_nano: number
}

const line = (used: Used) =>
  [used.input_tokens, used.cached_tokens, used.cache_write_tokens, used.output_tokens, used.cost_nano].map(Number)
const inOrder = (all: readonly Used[]) => all.map(line).sort((a, b) => (String(a) < String(b) ? -1 : 1))

it.each([
  ['anthropic/claude-sonnet-4-5', 1],
  ['openai-compatible/simulated', 0],
])(
  '%s: with a system prompt of 2,000 tokens the provider’s cache has almost all of the input, and the bill is the ledger by kind',
  async (model, writes) => {
    const folder = await jobFolder({ PROVIDER_KEY: 'k' })
    const { url, requests } = await provider(folder, '--latency', '20ms', ...PRICES, '--price-cache-write', '3.75')
    await folder.write('tickets.csv', tickets(ROWS))
    await folder.write('spec.yaml', spec(model, url))
    const run = await folder.run('run', 'spec.yaml')
    expect(run.code, run.stderr).toBe(0)
    expect(summaryOf(run.stdout).rows).toMatchObject({ total: ROWS, succeeded: ROWS })

    const report = JSON.parse((await folder.run('report', '--format', 'json')).stdout)
    expect(report.saved.prompt_cache.hit_rate).toBeGreaterThan(0.95)
    expect(report.saved.prompt_cache.saved_usd).toBeGreaterThan(5)
    const booked = await folder.query<Used>('select * from attempts')
    expect(inOrder(booked)).toEqual(inOrder(requests()))
    // One went ahead and had it kept; nobody else paid for that.
    expect(booked.filter((attempt) => Number(attempt.cache_write_tokens) > 0)).toHaveLength(writes)
    expect(booked.filter((attempt) => Number(attempt.cached_tokens) === 0)).toHaveLength(1)
    const billNano = requests().reduce((sum, request) => sum + request.cost_nano, 0)
    expect(Math.round(report.cost_usd.total * 1e9)).toBe(billNano)
  },
  300_000,
)
