import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Engine, JobStatus } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { until } from '../worker/until.ts'

let dir: string
let engine: Engine
const opened: Engine[] = []

/** An engine on the test's data directory, as each process opens one. */
async function open(env: NodeJS.ProcessEnv = {}): Promise<Engine> {
  const another = await openEngine(readConfig({ dataDir: join(dir, 'data') }, env, dir), systemRuntime(), 'test')
  opened.push(another)
  return another
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-engine-'))
  engine = await open()
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
})

const never = () => ({ signal: new AbortController().signal, abandon: new AbortController().signal })

/** A spec over `rows` tickets, in the test's folder. */
async function tickets(rows: number, more = ''): Promise<string> {
  const lines = Array.from({ length: rows }, (_, n) => `t${n},please refund number ${n}`)
  await writeFile(join(dir, 'tickets.csv'), `id,text\n${lines.join('\n')}\n`)
  const path = join(dir, 'tickets.yaml')
  await writeFile(
    path,
    `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model: { id: simulator/small, params: { max_output_tokens: 50 } }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, refund]" } }
${more}`,
  )
  return path
}

describe('a job, from its spec to its report', () => {
  it('is read, worked on, and written out in input order', async () => {
    const specPath = await tickets(25, 'write: { path: out.jsonl, include_input: true }')
    const { job, created } = await engine.submit({ specPath })
    expect([created, job.state, job.rowsTotal]).toEqual([true, 'queued', 25])
    const seen: JobStatus[] = []
    const status = await engine.work(job.id, { ...never(), onStatus: (now) => seen.push(now) })
    expect(status).toMatchObject({ exitCode: 0, rowsDone: 25, counters: { succeeded: 25, attempts: 25 } })
    expect(status.job).toMatchObject({ state: 'completed', reason: null })
    expect(seen.at(-1)).toEqual(status)
    const lines = (await readFile(join(dir, 'out.jsonl'), 'utf8')).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(Array.from({ length: 25 }, (_, n) => `t${n}`))
    expect(await engine.report(job.id, 'md')).toContain('25')
    expect(await engine.row(job.id, 't7')).toMatchObject({
      input: { id: 't7', text: 'please refund number 7' },
      outcome: { state: 'succeeded', rowId: 't7' },
      attempts: [{ state: 'booked', number: 1 }],
    })
  })

  it('is over at once where nothing is to be done', async () => {
    const specPath = await tickets(3)
    const { job } = await engine.submit({ specPath })
    await engine.work(job.id, never())
    const again = await engine.work(job.id, never())
    expect(again.counters.attempts).toBe(3)
    expect(await engine.wait(job.id, { timeoutMs: 0, signal: never().signal })).toMatchObject({ exitCode: 0 })
  })

  it('is followed while it runs: no row twice, none missing', async () => {
    const { job } = await engine.submit({ specPath: await tickets(60) })
    const working = engine.work(job.id, never())
    const rows: string[] = []
    for await (const { text } of engine.follow(job.id, { after: null, signal: never().signal }))
      rows.push(
        ...text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).id),
      )
    await working
    expect(rows).toHaveLength(60)
    expect(new Set(rows).size).toBe(60)
  })

  it('waits no longer than asked', async () => {
    const { job } = await engine.submit({ specPath: await tickets(3) })
    expect(await engine.wait(job.id, { timeoutMs: 10, signal: never().signal })).toBeNull()
  })
})

describe('a job key', () => {
  it('attaches to the job that has it, and never bills twice', async () => {
    const specPath = await tickets(5)
    const first = await engine.submit({ specPath, jobKey: 'today' })
    await engine.work(first.job.id, never())
    const second = await engine.submit({ specPath, jobKey: 'today' })
    expect([second.job.id, second.created]).toEqual([first.job.id, false])
    expect((await engine.work(second.job.id, never())).counters.attempts).toBe(5)
  })

  it('is refused for other work', async () => {
    const specPath = await tickets(5)
    await engine.submit({ specPath, jobKey: 'today' })
    const other = engine.submit({ specPath, jobKey: 'today', overrides: { limit: 2 } })
    await expect(other).rejects.toMatchObject({ code: 'job_key_conflict', exitCode: 2 })
  })
})

describe('what is wrong before anything is spent', () => {
  it('a key that is not set: nothing is created', async () => {
    const specPath = await tickets(2)
    const submitted = engine.submit({ specPath, overrides: { model: 'openai/gpt-5-mini' } })
    await expect(submitted).rejects.toMatchObject({ code: 'credentials_missing', exitCode: 4 })
    expect(await engine.latest()).toBeNull()
  })

  it('an input that turns out not to be usable ends the job as `failed`', async () => {
    const specPath = await tickets(2)
    await writeFile(join(dir, 'tickets.csv'), 'id,text\nt1,a\nt1,b\n')
    await expect(engine.submit({ specPath })).rejects.toMatchObject({ code: 'duplicate_key', exitCode: 2 })
    const job = await engine.latest()
    if (job !== null) expect(job).toMatchObject({ state: 'failed', reason: 'intake' })
  })
})

describe('two engines on one data directory', () => {
  it('share the work on a job, and both come back when it is over', async () => {
    const other = await open()
    const { job } = await engine.submit({ specPath: await tickets(80) })
    const both = await Promise.all([engine.work(job.id, never()), other.work(job.id, never())])
    expect(both.map((status) => status.job.state)).toEqual(['completed', 'completed'])
    expect(both[0]?.counters).toMatchObject({ succeeded: 80, attempts: 80 })
  })

  it('pause, resume and cancel from the other one', async () => {
    const other = await open()
    const { job } = await engine.submit({ specPath: await tickets(400) })
    const working = engine.work(job.id, never())
    await until('it runs', async () => (await other.status(job.id)).rowsDone > 0)
    await other.pause(job.id)
    expect((await working).job).toMatchObject({ state: 'paused', reason: 'user' })
    await other.resume(job.id)
    const again = engine.work(job.id, never())
    await until('it runs again', async () => (await other.status(job.id)).job.state === 'running')
    await other.cancel(job.id)
    const ended = await again
    expect(ended.job.state).toBe('cancelled')
    const { succeeded, cancelled, attempts } = ended.counters
    expect(succeeded + cancelled).toBe(400)
    expect(attempts).toBe(succeeded)
  })
})

describe('a retry', () => {
  const fussy = `  checks: [{ that: "output.topic == 'billing'", message: only bills }]`

  it('runs only the rows that failed: with another model, then with the spec as it is now', async () => {
    const specPath = await tickets(6)
    const spec = await readFile(specPath, 'utf8')
    const withChecks = spec.replace(
      'output: { fields: { topic: "enum[billing, refund]" } }',
      'output:\n  fields: { topic: "enum[billing, refund]" }\n',
    )
    await writeFile(specPath, `${withChecks.trimEnd()}\n${fussy}\n`)
    const { job } = await engine.submit({ specPath })
    const first = await engine.work(job.id, never())
    expect(first.counters).toMatchObject({ failed: 6, succeeded: 0 })
    expect((await engine.failed(job.id)).map(({ cause, rows }) => [cause, rows])).toEqual([['check_failed', 6]])
    expect((await engine.retry(job.id, { causes: ['refused'] })).rows).toBe(0)

    expect((await engine.retry(job.id, { rows: ['t2'], model: 'simulator/large' })).rows).toBe(1)
    await engine.work(job.id, never())
    expect((await engine.row(job.id, 't2')).attempts.at(-1)).toMatchObject({ model: 'simulator/large', round: 1 })

    await writeFile(specPath, spec)
    expect((await engine.retry(job.id, { spec: 'current' })).rows).toBe(6)
    const last = await engine.work(job.id, never())
    expect(last.job).toMatchObject({ state: 'completed', round: 2 })
    expect(last.counters).toMatchObject({ failed: 0, succeeded: 6 })
  })
})
