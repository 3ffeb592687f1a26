import { expect, it } from 'vitest'
import { jobFolder, provider } from './job-folder.ts'
import { runManyJobs } from './many-jobs-trial.ts'

it('of many small jobs that are queued behind a big one at once, none waits for more than its turn', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '20ms')
  const { dir, env, query } = folder
  const figures = await runManyJobs({
    dir,
    env,
    query,
    providerUrl: simulated.url,
    jobs: 200,
    bigRows: 1_000,
    workers: 2,
    log: () => undefined,
  })
  expect(figures).toMatchObject({ incomplete: [], workersFailed: [], rows: 1_399, rowsSucceeded: 1_399 })
  expect(simulated.requests()).toHaveLength(1_399)
  // In the order of queueing, but for those that several hands have taken at the same time; the big one among them.
  expect(figures.overtakenBy.p50).toBeLessThanOrEqual(10)
  expect(figures.overtakenBy.max).toBeLessThanOrEqual(100)
  expect(figures.bigRowsByTenth.reduce((sum, rows) => sum + rows)).toBeGreaterThanOrEqual(20)
}, 180_000)
