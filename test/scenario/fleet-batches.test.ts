import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openBackEnd } from './back-end.ts'
import { brokenFleetPromises, runBatchFleetTrial } from './batch-fleet-trial.ts'

/** Seconds of work each; a busy machine takes minutes for them. */
const MOST_MS = 300_000

it(
  'workers that are killed over batches, the batcher among them: each shard is sent once, and the two ledgers agree',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-fleet-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
    const backEnd = await openBackEnd(dir)
    onTestFinished(() => backEnd.close())
    const figures = await runBatchFleetTrial({
      dir,
      env: backEnd.env,
      ask: backEnd.query,
      jobs: ['openai', 'anthropic'],
      rows: 20,
      workers: 3,
      kills: 2,
      freezes: 0,
      heldMs: 1_500,
      seed: 132,
    })
    expect(brokenFleetPromises(figures)).toEqual([])
    expect(Object.keys(figures.kills)).not.toEqual([])
  },
  MOST_MS,
)
