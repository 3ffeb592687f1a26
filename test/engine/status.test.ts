import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Job } from '../../src/domain/job.ts'
import type { Engine } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { packed } from '../conformance/batches-fixture.ts'
import { earlierBatches } from './earlier-batches.ts'

const HOUR = 3_600_000
const SPEC = (execution: string) => `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model: { id: openai/gpt-5-mini, params: { max_output_tokens: 50 } }
prompt: { user: "Label it: {{ text }}" }
execution: { ${execution} }
`

let dir: string
let engine: Engine
let store: Store

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-status-'))
  const runtime = systemRuntime()
  const config = readConfig({ dataDir: join(dir, 'data') }, { OPENAI_API_KEY: 'never used' }, dir)
  engine = await openEngine(config, runtime, 'test')
  store = await openSqliteStore({ path: join(dir, 'data', 'sluice.db'), runtime, version: 'test' })
})
afterEach(async () => {
  await store.close()
  await engine.close()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
})

async function submitted(execution: string): Promise<Job> {
  await writeFile(join(dir, 'tickets.csv'), 'id,text\na,one\nb,two\n')
  const specPath = join(dir, 'tickets.yaml')
  await writeFile(specPath, SPEC(execution))
  return (await engine.submit({ specPath })).job
}

it('the deadline of a job counts from the start of its round, whatever its lane', async () => {
  const job = await submitted('lane: live, deadline: 2h')
  expect(await engine.status(job.id)).toMatchObject({ lane: 'live', deadlineAtMs: job.createdAtMs + 2 * HOUR })
  expect(await engine.status((await submitted('lane: auto')).id)).toMatchObject({ lane: 'auto', deadlineAtMs: null })
})

it('how long batches of its account took is told of a job as long as something of it is in batches', async () => {
  const job = await submitted('lane: batch')
  await earlierBatches(join(dir, 'data', 'sluice.db'), HOUR, 2 * HOUR, 3 * HOUR)
  expect(await engine.status(job.id)).toMatchObject({ lane: 'batch', turnarounds: null })
  await packed(store, { jobNo: job.jobNo, chunkNo: 0 }, [0, 1])
  expect((await engine.status(job.id)).turnarounds).toEqual({
    ms: { low: HOUR, expected: 2 * HOUR, high: 3 * HOUR },
    batches: 3,
  })
})
