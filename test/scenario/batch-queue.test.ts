import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { jobFolder, summaryOf, tickets } from './job-folder.ts'
import { startSimulatedProvider } from './simulated-provider.ts'

const ROWS = 100

/** Runs a job that is several times as large as the queue of its account, to its end. */
async function run(model: string, flags: readonly string[], batch = '') {
  const folder = await jobFolder({ THE_KEY: 'good-key' })
  const simulated = await startSimulatedProvider(flags, join(folder.dir, 'requests.ndjson'))
  onTestFinished(() => simulated.stop())
  await folder.write('tickets.csv', tickets(ROWS))
  const spec = await folder.write(
    'spec.yaml',
    `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model: { id: ${model}, base_url: "${simulated.url}/v1", api_key_env: THE_KEY, params: { max_output_tokens: 100 } }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { lane: batch, cache: off, chunk_rows: 10, batch: { poll: 1s${batch} } }
`,
  )
  const done = await folder.run('run', spec)
  expect(done.code, done.stderr).toBe(0)
  expect(summaryOf(done.stdout)).toMatchObject({
    rows: { total: ROWS, succeeded: ROWS, failed: 0 },
    // A queue that is full is nobody's failure: each row was asked once.
    attempts: ROWS,
  })
  const shards = (state: string) => folder.count(`batch_shards where state = '${state}'`)
  return { waves: await shards('collected'), refused: await shards('returned') }
}

// What an account's queue takes has nothing to do with the back end: once is enough.
describe('a job that is several times as large as the queue of its account', () => {
  it('goes in waves where the provider names the limit in tokens, and is refused once', async () => {
    const { waves, refused } = await run('openai/gpt-5-mini', ['--batch-queue-tokens', '2500'])
    expect(refused).toBe(1)
    expect(waves).toBeGreaterThanOrEqual(3)
  })

  it('is not refused at all where the spec says the limit', async () => {
    const { waves, refused } = await run('openai/gpt-5-mini', ['--batch-queue-tokens', '2500'], ', queue_tokens: 2500')
    expect(refused).toBe(0)
    expect(waves).toBeGreaterThanOrEqual(3)
  })

  it('finds a limit in requests that nobody names by halves', async () => {
    const { waves, refused } = await run('anthropic/claude-sonnet-4-5', ['--batch-queue-requests', '40'])
    expect(waves).toBeGreaterThanOrEqual(3)
    expect(refused).toBeLessThanOrEqual(4)
  })
})
