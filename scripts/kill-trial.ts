import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokenPromises } from '../test/scenario/kill-promises.ts'
import { runKillTrial } from '../test/scenario/kill-trial.ts'

/**
 * `npm run trial:kill -- [--kills 50] [--seed 1] [--concurrency 64] [--latency 150]`: a 10,003-row job (banking77's train.csv, or as many rows made
 * up where that is not there) killed at random moments and resumed; prints what the two ledgers say. Exit 1 where a promise was broken.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '64' },
    latency: { type: 'string', default: '150' },
  },
})

const dir = await mkdtemp(join(tmpdir(), 'sluice-kill-'))
try {
  const { inputPath, labels } = await input(dir)
  const figures = await runKillTrial({
    dir,
    inputPath,
    specBody: `prompt: { user: "{{ text }}" }\noutput: { fields: { label: ${JSON.stringify(`enum[${labels.join(', ')}]`)} } }\n`,
    kills: Number(values.kills),
    seed: Number(values.seed),
    concurrency: Number(values.concurrency),
    latencyMs: Number(values.latency),
    log: (line) => console.error(line),
  })
  console.log(JSON.stringify(figures, null, 2))
  const broken = brokenPromises(figures, Number(values.concurrency))
  for (const line of broken) console.error(`BROKEN: ${line}`)
  if (broken.length === 0) console.error('every promise was kept')
  process.exitCode = broken.length === 0 ? 0 : 1
} finally {
  await rm(dir, { recursive: true, force: true })
}

async function input(into: string): Promise<{ inputPath: string; labels: readonly string[] }> {
  const shared = new URL('../../shared/data/banking77/', import.meta.url).pathname
  if (existsSync(join(shared, 'train.csv'))) {
    const labels = JSON.parse(await readFile(join(shared, 'categories.json'), 'utf8')) as string[]
    return { inputPath: join(shared, 'train.csv'), labels }
  }
  console.error('shared/data/banking77 is not there: 10,003 rows are made up')
  const inputPath = join(into, 'made-up.csv')
  const lines = Array.from({ length: 10_003 }, (_, index) => `"my card ${index} was declined,\nwhat now?",${index % 5}`)
  await writeFile(inputPath, `text,category\n${lines.join('\n')}\n`)
  return { inputPath, labels: ['card', 'transfer', 'other'] }
}
