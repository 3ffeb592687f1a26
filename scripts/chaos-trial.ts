import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokenPromises } from '../test/scenario/chaos/chaos-promises.ts'
import { runChaosTrial } from '../test/scenario/chaos/chaos-trial.ts'

/**
 * `npm run trial:chaos -- [--minutes 30] [--seed 1] [--workers 4] [--rows 5000] [--concurrency 16] [--latency 150] [--pace 4000]`: a fleet over a
 * PostgreSQL of its own while disasters strike; prints what all records say. Exit 1 where a promise was broken.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '4' },
    rows: { type: 'string', default: '5000' },
    concurrency: { type: 'string', default: '16' },
    latency: { type: 'string', default: '150' },
    pace: { type: 'string', default: '4000' },
  },
})

const dir = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
const began = performance.now()
try {
  const { lostIds, ...figures } = await runChaosTrial({
    dir,
    seed: Number(values.seed),
    durationMs: Number(values.minutes) * 60_000,
    workers: Number(values.workers),
    rows: Number(values.rows),
    concurrency: Number(values.concurrency),
    latencyMs: Number(values.latency),
    paceMs: Number(values.pace),
    log: (line) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
  })
  console.log(JSON.stringify(figures, null, 2))
  const broken = brokenPromises({ ...figures, lostIds })
  for (const line of broken) console.error(`BROKEN: ${line}`)
  if (broken.length === 0) console.error('every promise was kept')
  process.exitCode = broken.length === 0 ? 0 : 1
} catch (error) {
  console.error(error)
  process.exitCode = 2
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}
