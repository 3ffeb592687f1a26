import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { brokenPromises } from './chaos/chaos-promises.ts'
import { runChaosTrial } from './chaos/chaos-trial.ts'

it('a fleet keeps its promises while workers, links, clocks and the database fail', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
  const lines: string[] = []
  const figures = await runChaosTrial({
    dir,
    seed: 11,
    durationMs: 30_000,
    workers: 3,
    rows: 600,
    concurrency: 8,
    latencyMs: 100,
    paceMs: 4_000,
    log: (line) => lines.push(line),
  })
  expect(brokenPromises(figures), lines.join('\n')).toEqual([])
}, 300_000)
