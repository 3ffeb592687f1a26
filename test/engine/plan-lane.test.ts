import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Job } from '../../src/domain/job.ts'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { Plan } from '../../src/domain/plan.ts'
import type { Range } from '../../src/domain/range.ts'
import type { Route, Way } from '../../src/domain/route.ts'
import type { ExecutionSpec } from '../../src/domain/spec.ts'
import { pacesOf } from '../../src/engine/plan-history.ts'
import type { Engine } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { aJob } from '../cli/fake-engine.ts'
import { spec } from '../row/fixture.ts'
import { earlierBatches } from './earlier-batches.ts'

const HOUR = 3_600_000

let dir: string
let engine: Engine

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-lane-'))
  const config = readConfig({ dataDir: join(dir, 'data') }, { OPENAI_API_KEY: 'never used' }, dir)
  engine = await openEngine(config, systemRuntime(), 'test')
})
afterEach(async () => {
  await engine.close()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
})

/** A spec of a hundred tickets, asked by a model that may be had in every way. */
async function hundred(execution: string, model: string): Promise<string> {
  const lines = Array.from({ length: 100 }, (_, n) => `t${n},please refund order ${n}`)
  await writeFile(join(dir, 'tickets.csv'), `id,text\n${lines.join('\n')}\n`)
  const specPath = join(dir, 'tickets.yaml')
  await writeFile(
    specPath,
    `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model: { id: ${model}, params: { max_output_tokens: 50 } }
prompt: { user: "Label it: {{ text }}" }
output: { fields: { topic: "enum[billing, refund]" } }
execution: { ${execution} }
`,
  )
  return specPath
}

/** Its plan; nothing is sent. */
async function plan(execution: string, model = 'openai/gpt-5-mini'): Promise<Plan> {
  const planned = await engine.plan({ specPath: await hundred(execution, model) })
  if (planned.plan === null) throw new Error(planned.findings.map(({ message }) => message).join('\n'))
  return planned.plan
}

const cost = ({ use }: Plan) => use.costNano as Range

describe('a plan of the lane batch', () => {
  it('takes its time from how long batches of the account took, once some were seen', async () => {
    const before = await plan('lane: batch')
    expect([before.time, before.route]).toEqual([null, null])
    await earlierBatches(join(dir, 'data', 'sluice.db'), HOUR, 3 * HOUR, 2 * HOUR)
    const after = await plan('lane: batch, deadline: 90m')
    expect(after.time).toEqual({
      ms: { low: HOUR, expected: 2 * HOUR, high: 3 * HOUR },
      bound: "the provider's batches",
      basis: 'turnarounds',
    })
    expect(after.notes).toContain('It may miss execution.deadline: the lane batch does nothing about that, auto would.')
  })
})

describe('a plan of the lane auto', () => {
  it('names the cheapest way, and costs what that costs', async () => {
    const [auto, live, batch] = [await plan('lane: auto'), await plan('lane: live'), await plan('lane: batch')]
    expect([live.route, batch.route]).toEqual([null, null])
    expect(auto.spec.lane).toBe('auto')
    expect(auto.route).toMatchObject({ deadlineMs: null, why: expect.stringContaining('cheaper than live') })
    expect(['flex', 'batch']).toContain(auto.route?.way)
    expect(new Set(auto.route?.ways.map(({ way }) => way))).toEqual(new Set(['live', 'flex', 'batch']))
    expect(cost(auto)).toEqual(cost(batch))
    expect(cost(auto).high).toBeLessThan(cost(live).high)
  })

  it('is live where the deadline leaves no time for anything else', async () => {
    // At the worst the rows take 40 s live, and the end of the job 10 s.
    const auto = await plan('deadline: 51s')
    expect(auto.route).toMatchObject({ way: 'live', deadlineMs: 51_000 })
    expect(cost(auto)).toEqual(cost(await plan('lane: live')))
  })
})

it('a plan that rests on rows of an earlier job has flex at half of what they cost live', async () => {
  const model = 'simulator/small'
  const { job } = await engine.submit({ specPath: await hundred('lane: live, cache: off', model) })
  await engine.work(job.id, { signal: new AbortController().signal, abandon: new AbortController().signal })
  const { use, route } = await plan('lane: auto, cache: off', model)
  expect(use.basis.kind).toBe('history')
  const costOf = (way: Way) => route?.ways.find((each) => each.way === way)?.costNano?.expected as number
  expect(costOf('flex') / costOf('live')).toBeCloseTo(0.5, 3)
  expect(costOf('batch') / costOf('live')).toBeCloseTo(0.5, 3)
})

describe('the pace of live work', () => {
  const ended = (lane: ExecutionSpec['lane'], route?: Partial<Route>) => {
    const base = spec()
    const job: Job = aJob({
      state: 'completed',
      counters: { ...NO_COUNTS, succeeded: 500 },
      activeMs: 60_000,
      ...(route && {
        route: {
          way: 'live',
          chosen: 'live',
          deadlineAtMs: null,
          why: '',
          ways: [],
          liveMsPerRow: 1,
          changes: [],
          ...route,
        },
      }),
    })
    return { job, spec: { ...base, execution: { ...base.execution, lane } } }
  }

  it.each([
    ['live', undefined, 1],
    ['batch', undefined, 0],
    ['auto', undefined, 0],
    ['auto', {}, 1],
    ['auto', { way: 'batch', chosen: 'batch' }, 0],
    ['auto', { way: 'flex', chosen: 'flex' }, 0],
    ['auto', { chosen: 'batch', changes: [{ atMs: 1, to: 'live', why: 'late' }] }, 0],
  ] as const)('is told by a job of the lane %s with the route %j: %s', (lane, route, paces) => {
    expect(pacesOf([ended(lane, route)], spec())).toHaveLength(paces)
  })
})
