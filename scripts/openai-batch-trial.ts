import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import OpenAI, { toFile } from 'openai'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { sluice, startSluice, until } from '../test/scenario/sluice-process.ts'
import { openTrialPlace } from '../test/scenario/trial-place.ts'

/**
 * `npm run trial:openai-batch -- [--lines 50000] [--model gpt-trial | claude-trial] [--kills 0] [--store sqlite|postgres]`: one batch by OpenAI's own client, from its upload to the last byte of its
 * output, through `sluice serve` in a process of its own, which may be killed now and then, and a simulated provider in another. Prints how long each part took, and the memory. Exit 1 where an
 * answer is missing, or stands twice, or in another place.
 */
const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '50000' },
    model: { type: 'string', default: 'gpt-trial' },
    kills: { type: 'string', default: '0' },
    store: { type: 'string', default: 'sqlite' },
  },
})
const lines = Number(values.lines)
let kills = Number(values.kills)
/** How long a server lives that is killed, ms, at least and at most. */
const LIFE_MS = [2_000, 9_000] as const

const began = performance.now()
const log = (line: string) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)

const dir = await mkdtemp(join(tmpdir(), 'sluice-openai-'))
const provider = await startSimulatedProvider(['--latency', '20ms'], join(dir, 'requests.ndjson'))
const config = join(dir, 'serve.yaml')
await writeFile(
  config,
  `models:
  gpt-trial: { id: openai/gpt-trial, base_url: "${provider.url}/v1", api_key_env: PROVIDER_KEY }
  claude-trial: { id: anthropic/claude-trial, base_url: "${provider.url}/v1", api_key_env: PROVIDER_KEY }
`,
)
const place = await openTrialPlace(values.store, dir)
const env = { ...place.env, PROVIDER_KEY: 'key' }
const key = await sluice(['key', 'create', 'trial'], { cwd: dir, env })
const start = (port: string) => startSluice(['serve', '--port', port, '--config', config], { cwd: dir, env })
let server = start('0')
try {
  const urlIn = () => /"url":"([^"]+)"/.exec(server.stderr())?.[1]
  await until(() => urlIn() !== undefined, 'the server listens')
  const baseURL = `${urlIn()}/v1`
  const client = new OpenAI({ apiKey: key.stdout.trim(), baseURL, maxRetries: 0 })
  const killing = kill(new URL(baseURL).port)
  process.exitCode = (await run(client)) ? 0 : 1
  kills = 0
  await killing
  log(`the server's memory at its highest: ${peakMb(server.child.pid)} MB`)
} finally {
  server.child.kill('SIGTERM')
  await server.ended
  await place.close()
  await provider.stop()
  await rm(dir, { recursive: true, force: true })
}

/** Kills the server again and again, and starts it anew at the same address. */
async function kill(port: string): Promise<void> {
  const [least, most] = LIFE_MS
  while (kills > 0) {
    await new Promise((resolve) => setTimeout(resolve, least + Math.random() * (most - least)))
    if (kills === 0) return
    kills -= 1
    log('killed')
    server.child.kill('SIGKILL')
    await server.ended
    server = start(port)
  }
}

/** Asks until somebody answers: the server may be dead for a moment. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof OpenAI.APIConnectionError)) throw error
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

async function run(client: OpenAI): Promise<boolean> {
  const text = Array.from({ length: lines }, (_, at) => JSON.stringify(requestAt(at))).join('\n')
  log(`${lines} lines, ${(text.length / 1e6).toFixed(1)} MB`)
  const file = await answered(async () =>
    client.files.create({ file: await toFile(Buffer.from(text), 'trial.jsonl'), purpose: 'batch' }),
  )
  log('uploaded')
  const asked = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const
  const once = { headers: { 'Idempotency-Key': 'trial' } }
  const made = await answered(() => client.batches.create(asked, once))
  log('made')
  const batch = await ended(client, made.id)
  log(`${batch.status}: ${JSON.stringify(batch.request_counts)} ${JSON.stringify(batch.errors ?? '')}`)
  if (!batch.output_file_id) return false
  const output = batch.output_file_id
  const answers = (await answered(async () => (await client.files.content(output)).text())).trimEnd().split('\n')
  log(`downloaded ${answers.length} answers`)
  return answers.length === lines && answers.every((line, at) => JSON.parse(line).custom_id === `row-${at}`)
}

function requestAt(at: number) {
  const messages = [
    { role: 'system', content: 'Answer in one sentence.' },
    {
      role: 'user',
      content: `Ticket ${at}: I cannot log in since this morning. ${'It says that my password is wrong. '.repeat(at % 5)}`,
    },
  ]
  const body = { model: values.model, messages, max_completion_tokens: 100 }
  return { custom_id: `row-${at}`, method: 'POST', url: '/v1/chat/completions', body }
}

async function ended(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  for (let before = ''; ; ) {
    const batch = await answered(() => client.batches.retrieve(id))
    if (batch.status !== before) log(batch.status)
    before = batch.status
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

function peakMb(pid: number | undefined): number {
  const kb = /VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kb) / 1024)
}
