import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ON_POSTGRES, openBackEnd } from './back-end.ts'
import { brokenBatchPromises } from './batch-kill-ledgers.ts'
import { runBatchKillTrial } from './batch-kill-trial.ts'

/** Seconds of work each; a busy machine takes minutes for them. */
const MOST_MS = 300_000

/** One that finds a batch by our name for it, and one that has no place for that; `npm run trial:batch-kill` does all, and many kills. */
const MAKER = ON_POSTGRES ? 'anthropic' : 'openai'

it(
  'kill -9 around the steps of a batch, over one provider: no second batch, no row lost, and the two ledgers agree',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-batch-kill-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
    const backEnd = await openBackEnd(dir)
    onTestFinished(() => backEnd.close())
    const figures = await runBatchKillTrial({
      dir,
      env: backEnd.env,
      ask: backEnd.query,
      maker: MAKER,
      rows: 40,
      kills: 2,
      heldMs: 1_500,
      seed: 136,
    })
    expect(brokenBatchPromises(figures)).toEqual([])
    expect(Object.keys(figures.kills)).not.toEqual([])
  },
  MOST_MS,
)
