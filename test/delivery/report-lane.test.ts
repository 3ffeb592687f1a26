import { describe, expect, it } from 'vitest'
import { verdictOf } from '../../src/cli/verdict.ts'
import { gatherReport } from '../../src/delivery/report.ts'
import { reportJson } from '../../src/delivery/report-json.ts'
import { reportMarkdown } from '../../src/delivery/report-markdown.ts'
import type { Price } from '../../src/domain/money.ts'
import { type Route, rerouted } from '../../src/domain/route.ts'
import type { ExecutionSpec } from '../../src/domain/spec.ts'
import { spec } from '../row/fixture.ts'
import { A_ROUTE } from './a-plan.ts'
import { type PlannedJob, type PlannedRow, workplace } from './planned-job.ts'

const CREATED_MS = 1_700_000_000_000
const ENDED_MS = 1_700_000_061_000
const MINUTE = 60_000

const list: Price = {
  inputNanoPerMillion: 2_000_000_000,
  outputNanoPerMillion: 9_000_000_000,
  cachedInputNanoPerMillion: null,
  cacheWriteNanoPerMillion: null,
  source: 'a list',
}
const half: Price = { ...list, lanePermille: 500 }

/** One row by batch that did not fit and was asked again live, one by flex, one live. */
const chunks: readonly (readonly PlannedRow[])[] = [
  [
    {
      kind: 'row',
      values: ['x'],
      outcome: { attempts: 2 },
      attempts: [
        { lane: 'batch', price: half, costNano: 100_000, cause: 'invalid_json' },
        { price: list, costNano: 200_000 },
      ],
    },
    { kind: 'row', values: ['x'], outcome: {}, attempts: [{ price: half, costNano: 90_000 }] },
    { kind: 'row', values: ['x'], outcome: {}, attempts: [{ price: list, costNano: 180_000 }] },
  ],
]

const batch: Route = {
  way: 'batch',
  chosen: 'batch',
  deadlineAtMs: CREATED_MS + 10 * MINUTE,
  why: A_ROUTE.why,
  ways: A_ROUTE.ways,
  liveMsPerRow: 5,
  changes: [],
}
const escalated = rerouted(batch, { atMs: CREATED_MS + 40_000, to: 'live', why: 'the deadline is near' })

/** A completed job with this in its spec, that went so. */
async function aJob(place: ReturnType<typeof workplace>, execution: Partial<ExecutionSpec>, route?: Route) {
  const base = spec({ schema: null })
  const of = { ...base, execution: { ...base.execution, ...execution } }
  const job = await place.job({ spec: of, input: { columns: ['body'] }, chunks })
  if (route !== undefined) expect(await job.store.jobs.setRoute(job.job.jobNo, null, route, CREATED_MS)).toBe(true)
  const change = { to: 'completed', reason: null, detail: null, atMs: ENDED_MS } as const
  expect(await job.store.write((tx) => job.store.jobs.change(tx, job.job.jobNo, ['finalizing'], change))).toBe(true)
  return job
}

const gather = ({ store, job, spec: of }: PlannedJob) =>
  gatherReport({ store, jobNo: job.jobNo, spec: of, nowMs: ENDED_MS + MINUTE })

const sectionOf = (markdown: string) => /^## Lane\n[\s\S]*?(?=\n## )/m.exec(markdown)?.[0] ?? ''

describe('the report of a job of the lane auto', () => {
  it('says what was chosen and why, what it was compared with, its changes, the deadline, and what each way cost', async () => {
    await using place = workplace()
    const job = await aJob(place, { lane: 'auto', deadlineMs: 10 * MINUTE }, escalated)
    const text = reportMarkdown(await gather(job))
    await expect(sectionOf(text)).toMatchFileSnapshot('fixtures/report-lane.md')
    expect(text).toContain('batch lane: 1 request at its price')
    expect(text).toContain('flex: 1 request at its price')
    expect(verdictOf(text)).toContain(
      'Lane auto -> batch -> live; deadline 2023-11-14 22:23 UTC, met, 8 min 59 s before it.',
    )
  })

  it('says the same in JSON', async () => {
    await using place = workplace()
    const job = await aJob(place, { lane: 'auto', deadlineMs: 10 * MINUTE }, escalated)
    expect(JSON.parse(reportJson(await gather(job)))).toMatchObject({
      lane: {
        asked: 'auto',
        route: {
          way: 'live',
          chosen: 'batch',
          why: A_ROUTE.why,
          ways: [{ way: 'batch' }, { way: 'live' }],
          changes: [{ at: '2023-11-14T22:14:00.000Z', to: 'live', why: 'the deadline is near' }],
        },
        deadline: { at: '2023-11-14T22:23:20.000Z', left_s: 539, met: true },
        used: [
          { way: 'live', attempts: 2, cost_usd: 0.00038, saved_usd: 0 },
          { way: 'flex', attempts: 1, cost_usd: 0.00009, saved_usd: 0.00009 },
          { way: 'batch', attempts: 1, cost_usd: 0.0001, saved_usd: 0.0001 },
        ],
      },
      saved: { batch: { attempts: 1, saved_usd: 0.0001 }, flex: { attempts: 1, saved_usd: 0.00009 } },
    })
  })

  it('without a deadline says no more than there is', async () => {
    await using place = workplace()
    const job = await aJob(place, { lane: 'auto' }, { ...batch, deadlineAtMs: null, ways: A_ROUTE.ways.slice(0, 1) })
    const text = reportMarkdown(await gather(job))
    expect(sectionOf(text)).not.toMatch(/deadline|Compared/)
    expect(verdictOf(text)).toContain('Lane auto -> batch.')
  })
})

describe('the report of a job of another lane', () => {
  it('has no section of it without a deadline', async () => {
    await using place = workplace()
    const data = await gather(await aJob(place, { lane: 'batch' }))
    expect(reportMarkdown(data)).not.toContain('## Lane')
    expect(JSON.parse(reportJson(data))).toMatchObject({ lane: { asked: 'batch', route: null, deadline: null } })
  })

  it('says whether its deadline was met, counted from the start of its round', async () => {
    await using place = workplace()
    const data = await gather(await aJob(place, { lane: 'live', deadlineMs: MINUTE }))
    expect(sectionOf(reportMarkdown(data))).toContain('live.\n\n- deadline 2023-11-14 22:14 UTC, missed by 1 s')
  })
})
