import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { brokenPromises } from './kill-promises.ts'
import { runKillTrial } from './kill-trial.ts'

it('kill -9 at random moments: nothing finished is sent again, nothing is lost, and the two ledgers agree', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-kill-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const inputPath = join(dir, 'rows.csv')
  const lines = Array.from({ length: 2_000 }, (_, index) => `"my card ${index} was declined,\r\nwhat now?"`)
  await writeFile(inputPath, `text\r\n${lines.join('\r\n')}\r\n`)
  const figures = await runKillTrial({
    dir,
    inputPath,
    specBody: 'prompt: { user: "{{ text }}" }\noutput: { fields: { topic: "enum[card, transfer, other]" } }\n',
    kills: 8,
    seed: 7,
    concurrency: 32,
    latencyMs: 100,
  })
  expect(brokenPromises(figures, 32)).toEqual([])
})
