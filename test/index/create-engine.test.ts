import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createEngine } from '../../src/index.ts'

it('runs a job from a program, and gives its rows', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-library-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await writeFile(join(dir, 'rows.jsonl'), '{"text":"refund please"}\n{"text":"cannot log in"}\n')
  const spec = {
    name: 'library',
    input: { source: 'rows.jsonl' },
    model: { id: 'simulator/any', params: { max_output_tokens: 50 } },
    prompt: { user: '{{ text }}' },
    output: { fields: { topic: 'enum[refund, login]' } },
  }
  const specPath = join(dir, 'spec.json')
  await writeFile(specPath, JSON.stringify(spec))
  const engine = await createEngine({ dataDir: join(dir, 'data') })
  onTestFinished(() => engine.close())
  expect((await engine.check(specPath)).ok).toBe(true)
  const { job } = await engine.submit({ specPath })
  const never = new AbortController().signal
  const status = await engine.work(job.id, { signal: never, abandon: never })
  expect(status).toMatchObject({ rowsDone: 2, exitCode: 0, counters: { succeeded: 2 } })
  const parts: string[] = []
  await engine.results(job.id, {
    to: { kind: 'stream', write: async (part) => void parts.push(part) },
    format: 'jsonl',
    only: 'ok',
  })
  expect(
    parts
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { topic: string }).topic),
  ).toEqual(['refund', 'login'])
})
