import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Plan } from '../../src/domain/plan.ts'
import type { Range } from '../../src/domain/range.ts'
import type { Engine, PlanRequest } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { cli } from '../cli/harness.ts'

let dir: string
let engine: Engine
const config = () => readConfig({ dataDir: join(dir, 'data') }, {}, dir)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-plan-'))
  engine = await openEngine(config(), systemRuntime(), 'test')
})
afterEach(async () => {
  await engine.close()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
})

const never = () => ({ signal: new AbortController().signal, abandon: new AbortController().signal })

interface Variation {
  readonly prompt?: string
  readonly input?: string
  readonly more?: string
}

/** A spec over tickets, in the test's folder. */
async function spec({
  prompt = 'Label it: {{ text }}',
  input = 'source: tickets.csv, key: id',
  more = '',
}: Variation = {}) {
  const path = join(dir, 'tickets.yaml')
  await writeFile(
    path,
    `version: 1
name: tickets
input: { ${input} }
model: { id: simulator/small, params: { max_output_tokens: 50 } }
prompt: { user: "${prompt}" }
output: { fields: { topic: "enum[billing, refund]" } }
${more}`,
  )
  return path
}

const texts = (rows: number) => Array.from({ length: rows }, (_, n) => `please refund order ${n}`)

async function tickets(bodies: readonly string[]): Promise<void> {
  await writeFile(join(dir, 'tickets.csv'), `id,text\n${bodies.map((body, n) => `t${n},${body}`).join('\n')}\n`)
}

async function plan(specPath: string, more: Partial<PlanRequest> = {}): Promise<Plan> {
  const planned = await engine.plan({ specPath, ...more })
  if (planned.plan === null) throw new Error(planned.findings.map(({ message }) => message).join('\n'))
  return planned.plan
}

async function run(specPath: string, planned?: Plan) {
  const { job } = await engine.submit({ specPath, ...(planned && { plan: planned }) })
  return engine.work(job.id, never())
}

describe('a plan', () => {
  it('counts what a run then does: rows to run, repeated, skipped and unreadable', async () => {
    await writeFile(
      join(dir, 'tickets.jsonl'),
      `${[...texts(20), ...texts(5), '', ''].map((text, id) => JSON.stringify({ id, text })).join('\n')}\n{"id":\n`,
    )
    const specPath = await spec({ input: 'source: tickets.jsonl, where: "text.size > 0"' })
    const { rows, use, time } = await plan(specPath)
    expect(rows).toEqual({
      total: 28,
      toRun: 20,
      reuse: 0,
      duplicates: 5,
      skipped: 2,
      unreadable: 1,
      failing: 0,
      exact: true,
    })
    expect(use.basis).toEqual({ kind: 'length' })
    expect(time).toBeNull()
    const { counters, job } = await run(specPath)
    expect(counters).toMatchObject({ attempts: 20, cached: 5, skipped: 2, failed: 1 })
    expect(job.rowsTotal).toBe(28)
    expect(counters.costNano).toBeGreaterThanOrEqual(use.costNano?.low as number)
    expect(counters.costNano).toBeLessThanOrEqual(use.costNano?.high as number)
  })

  it('with a pilot asks that many of the rows to run, and keeps their answers for the run', async () => {
    await tickets(texts(120))
    const specPath = await spec()
    const { plan: planned, pilot } = await engine.plan({ specPath, pilot: { rows: 20, ...never() } })
    expect(pilot?.counters).toMatchObject({ attempts: 20, succeeded: 20 })
    expect(planned?.rows).toMatchObject({ toRun: 100, reuse: 20 })
    expect(planned?.use.basis).toEqual({ kind: 'pilot', rows: 20, job: pilot?.job.id })
    expect(planned?.time?.basis).toBe('latency')
    expect((await engine.jobs({ limit: 9 })).map(({ job }) => job.id)).toEqual([])
    const status = await run(specPath, planned ?? undefined)
    expect(status.counters).toMatchObject({ attempts: 100, cached: 20, succeeded: 120 })
    expect(status.job.triggerRef).toBe(planned?.id)
    const { low, high } = (planned as Plan).use.costNano as Range
    expect([status.counters.costNano >= low, status.counters.costNano <= high]).toEqual([true, true])
  })

  it('after a run finds nothing to do; after a change rests on that run, and says what changed', async () => {
    await tickets(texts(30))
    await run(await spec())
    const again = await plan(await spec(), { explain: true })
    expect(again.rows).toMatchObject({ toRun: 0, reuse: 30 })
    expect(again.use).toMatchObject({ costNano: { low: 0, high: 0 }, basis: { kind: 'nothing' } })
    expect(again.explanation?.reasons).toEqual([])
    await tickets([...texts(30), 'a new one'].with(3, 'another text'))
    const changedRows = await plan(await spec(), { explain: true })
    expect(changedRows.rows).toMatchObject({ toRun: 2, reuse: 29 })
    expect(changedRows.use.basis).toMatchObject({ kind: 'history', rows: 30, version: 'same' })
    expect(changedRows.explanation?.reasons).toEqual([
      { reason: 'row changed', rows: 1, place: null },
      { reason: 'new row', rows: 1, place: null },
    ])
    const changedPrompt = await plan(await spec({ prompt: 'Label this: {{ text }}' }), { explain: true })
    expect(changedPrompt.use.basis).toMatchObject({ kind: 'history', version: 'other' })
    expect(changedPrompt.explanation?.reasons).toEqual([
      { reason: 'prompt changed', rows: 29, place: 'prompt.user' },
      { reason: 'row changed', rows: 1, place: null },
      { reason: 'new row', rows: 1, place: null },
    ])
  })

  it('sees that answers are not accepted any more, and that a cache is off', async () => {
    await tickets(texts(12))
    await run(await spec())
    const strict = 'checks: [{ that: "output.topic == \'no such\'", message: never }]'
    const path = await spec()
    await writeFile(path, (await readFile(path, 'utf8')).replace('refund]" } }', `refund]" }, ${strict} }`))
    expect((await plan(path, { explain: true })).explanation?.reasons).toEqual([
      { reason: 'checks changed', rows: 12, place: null },
    ])
    const off = await plan(await spec({ more: 'execution: { cache: off }' }), { explain: true })
    expect(off.rows).toMatchObject({ toRun: 12, reuse: 0 })
    expect(off.explanation?.reasons).toEqual([{ reason: 'cache off', rows: 12, place: null }])
  })

  it('of a spec with errors gives the findings of check, and nothing else', async () => {
    const { plan: none, findings } = await engine.plan({ specPath: await spec({ prompt: '{{ texd }}' }) })
    expect(none).toBeNull()
    expect(findings.filter(({ severity }) => severity === 'error').length).toBeGreaterThan(0)
  })

  it('takes columns that show late into every request, as the run does', async () => {
    const lines = texts(300).map((text, id) => JSON.stringify(id === 299 ? { text, late: 'yes' } : { text }))
    await writeFile(join(dir, 'tickets.jsonl'), `${lines.join('\n')}\n`)
    const specPath = await spec({ input: 'source: tickets.jsonl', prompt: 'Label the row.' })
    await run(specPath)
    expect((await plan(specPath)).rows).toMatchObject({ toRun: 0, reuse: 300 })
  })
})

describe('a plan that was saved', () => {
  it.each<[string, () => Promise<unknown>, string]>([
    ['the spec', () => spec({ prompt: 'Other: {{ text }}' }), 'the spec changed'],
    ['the input', () => tickets(texts(11)), 'the input changed'],
  ])('is refused when %s changed, before anything is created', async (_what, change, message) => {
    await tickets(texts(10))
    const specPath = await spec()
    const planned = await plan(specPath)
    await change()
    await expect(engine.submit({ specPath, plan: planned })).rejects.toMatchObject({
      code: 'plan_stale',
      exitCode: 2,
      message: expect.stringContaining(message),
    })
    expect(await engine.latest()).toBeNull()
  })

  it('is refused when a price changed', async () => {
    await tickets(texts(10))
    const planned = await plan(await spec())
    const binding = { ...planned.binding, priceHash: 'the price of yesterday' }
    await expect(engine.submit({ specPath: await spec(), plan: { ...planned, binding } })).rejects.toMatchObject({
      code: 'plan_stale',
      message: expect.stringContaining('a price changed'),
    })
  })

  it('of a query is refused when a row of its result changed, in whatever order they come', async () => {
    await tickets(texts(10))
    const specPath = await spec({ input: 'sql: "select * from \'tickets.csv\' order by random()"' })
    const planned = await plan(specPath)
    expect((await plan(specPath)).binding).toEqual(planned.binding)
    await tickets(texts(10).with(4, 'another'))
    expect((await plan(specPath)).binding.inputHash).not.toBe(planned.binding.inputHash)
  })

  it('goes from `plan -o` to `run --plan` with the flags that it was made with', async () => {
    await tickets(texts(40))
    await spec()
    const command = (...args: string[]) => {
      const terminal = cli(
        {},
        {
          cwd: dir,
          more: { openEngine: () => openEngine(config(), systemRuntime(), 'test'), runtime: systemRuntime() },
        },
      )
      return terminal.run(...args).then((code) => ({ code, terminal }))
    }
    const made = await command('plan', 'tickets.yaml', '--limit', '25', '--sample', '10', '-o', 'plan.json')
    expect(made.code, made.terminal.err()).toBe(0)
    expect(made.terminal.err()).toContain('Run it:  sluice run --plan plan.json')
    const { plan: id } = made.terminal.events().find(({ type }) => type === 'plan') as { readonly plan: string }
    const ran = await command('run', '--plan', 'plan.json')
    expect(ran.code, ran.terminal.err()).toBe(0)
    expect(ran.terminal.events().at(-1)).toMatchObject({ rows: { total: 25, succeeded: 25, cached: 10 }, attempts: 15 })
    expect((await engine.latest())?.triggerRef).toBe(id)
    const stale = await command('run', '--plan', 'plan.json', '--limit', '26')
    expect(stale.code).toBe(2)
    expect(stale.terminal.err()).toContain('the spec changed since the plan was made')
  })
})
