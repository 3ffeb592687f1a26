import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { startSluice } from '../test/scenario/sluice-process.ts'
import { inTempDir } from './contest.ts'
import { type LimitTask, withPLimit, withTokenBuckets } from './limit-contestants.ts'

/**
 * Sluice beside what a user would write, each for so many seconds against a simulator of its own with 600 requests and 130,000 tokens a minute and
 * answers of 0.4 to 3 s: rows a minute, 429s, and what the provider charges. Sluice is told no limits. `npm run bench:limits [seconds]`.
 */
const seconds = Number(process.argv[2] ?? 180)
const LIMITS = { rpm: 600, tpm: 130_000, maxOutput: 200 }
const FLAGS = ['--rpm', '600', '--tpm', '130000', '--latency', '400ms', '--latency-p99', '3s']
const PROMPTS = Array.from({ length: seconds * 40 }, (_, index) => {
  const words = 5 + Math.floor(120 * Math.exp(1.2 * Math.sin(index * 12.9898) * Math.cos(index * 78.233)))
  return `Ticket ${index}: ${'the parcel is late and nobody answers '.repeat(Math.ceil(words / 7))}`
})

const CONTESTANTS: Readonly<Record<string, (task: LimitTask, dir: string) => Promise<unknown>>> = {
  sluice: withSluice,
  'token buckets, 16 in flight': (task) => withTokenBuckets(task, 16),
  'token buckets, 64 in flight': (task) => withTokenBuckets(task, 64),
  'p-limit 4': (task) => withPLimit(task, 4),
  'p-limit 16': (task) => withPLimit(task, 16),
  'p-limit 64': (task) => withPLimit(task, 64),
}

console.log('|  | rows a minute | 429s | of all requests | dollars | dollars a 1,000 rows |')
console.log('|---|---|---|---|---|---|')
for (const [name, work] of Object.entries(CONTESTANTS)) {
  await inTempDir(async (dir) => console.log(await score(name, work, dir)))
}

async function score(name: string, work: (task: LimitTask, dir: string) => Promise<unknown>, dir: string) {
  const provider = await startSimulatedProvider(FLAGS, join(dir, 'requests.ndjson'))
  const over = new AbortController()
  try {
    const ended = work({ ...LIMITS, url: provider.url, prompts: PROMPTS, signal: over.signal }, dir).catch(
      () => undefined,
    )
    while (provider.requests().length === 0) await sleep(50)
    await Promise.race([sleep(seconds * 1_000), ended])
    const requests = provider.requests()
    over.abort()
    const refused = requests.filter(({ status }) => status === 429).length
    const answered = requests.filter(({ status }) => status === 200).length
    const dollars = requests.reduce((sum, { cost_nano }) => sum + cost_nano, 0) / 1e9
    const share = ((refused / requests.length) * 100).toFixed(1)
    const perMinute = Math.round((answered * 60) / seconds)
    const perThousand = ((dollars * 1_000) / answered).toFixed(4)
    return `| ${name} | ${perMinute} | ${refused} | ${share} % | ${dollars.toFixed(4)} | ${perThousand} |`
  } finally {
    over.abort()
    await provider.stop()
  }
}

async function withSluice({ url, prompts, maxOutput, signal }: LimitTask, dir: string): Promise<void> {
  await writeFile(join(dir, 'rows.jsonl'), prompts.map((text) => JSON.stringify({ text })).join('\n'))
  const spec = {
    version: 1,
    name: 'limits',
    input: { source: 'rows.jsonl' },
    model: {
      id: 'openai-compatible/simulated',
      base_url: `${url}/v1`,
      params: { max_output_tokens: maxOutput },
      price: { input: '0.25', output: '2.00' },
    },
    prompt: { user: '{{ text }}' },
  }
  await writeFile(join(dir, 'spec.json'), JSON.stringify(spec))
  const running = startSluice(['run', 'spec.json'], { cwd: dir, env: { SLUICE_DATA_DIR: join(dir, 'data') } })
  signal.addEventListener('abort', () => running.child.kill('SIGKILL'))
  await running.ended
}
