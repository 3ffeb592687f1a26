import { describe, expect, it } from 'vitest'
import { gatherReport } from '../../src/delivery/report.ts'
import { reportJson } from '../../src/delivery/report-json.ts'
import { reportMarkdown } from '../../src/delivery/report-markdown.ts'
import type { Spec } from '../../src/domain/spec.ts'
import { spec, target } from '../row/fixture.ts'
import { type PlannedJob, type PlannedRow, workplace } from './planned-job.ts'

const now = 1_700_000_100_000

const triage: Spec = {
  ...spec({
    schema: {
      type: 'object',
      properties: {
        topic: { enum: ['bug', 'login', 'other'] },
        urgent: { type: ['boolean', 'null'] },
        note: { type: 'string' },
      },
    },
  }),
  name: 'ticket_triage',
  description: 'Topic and urgency of support tickets',
  tags: { team: 'support' },
  gates: { minSuccess: 0.5, maxCostPerRowNano: 500_000 },
}

const attempt = {
  inputTokens: 100,
  cachedTokens: 40,
  outputTokens: 10,
  reasoningTokens: 4,
  costNano: 200_000,
  price: {
    inputNanoPerMillion: 2_000_000_000,
    outputNanoPerMillion: 9_000_000_000,
    cachedInputNanoPerMillion: 500_000_000,
    cacheWriteNanoPerMillion: null,
    source: 'a list, 2023-11-14',
  },
}

const mixed: readonly (readonly PlannedRow[])[] = [
  [
    {
      kind: 'row',
      id: 'T-1',
      values: ['x'],
      outcome: { output: '{"topic":"bug","urgent":true}', costNano: 200_000 },
      attempts: [attempt],
    },
    {
      kind: 'row',
      id: 'T-2',
      values: ['x'],
      outcome: { output: '{"topic":"bug","urgent":null}', costNano: 400_000, attempts: 2 },
      attempts: [{ ...attempt, cause: 'invalid_json', message: 'no JSON' }, attempt],
    },
    {
      kind: 'row',
      id: 'T-3',
      values: ['x'],
      outcome: { output: '{"topic":"login","urgent":false}', lane: 'cache', attempts: 0, costNano: 0 },
    },
    { kind: 'unreadable', excerpt: 'secret of the row' },
  ],
  [
    {
      kind: 'row',
      id: 'T-5 `odd` | <b>',
      values: ['x'],
      outcome: {
        state: 'failed',
        cause: 'content_filtered',
        message: 'blocked:\n![x](http://evil.example/x.png) \u001b[31m`a` | b',
        reply: 'secret reply',
        costNano: 200_000,
      },
      attempts: [{ ...attempt, cause: 'content_filtered', message: 'blocked' }],
    },
    { kind: 'row', values: ['x'], outcome: { state: 'skipped', attempts: 0, costNano: 0, model: null } },
  ],
]

const gather = (job: PlannedJob, more: Partial<Spec> = {}) =>
  gatherReport({ store: job.store, jobNo: job.job.jobNo, spec: { ...job.spec, ...more }, nowMs: now })

/** Ends the job as the finalizer does. */
async function end(job: PlannedJob, to: 'completed' | 'failed', detail: string | null = null): Promise<void> {
  const change = { to, reason: to === 'failed' ? 'gate' : null, detail, atMs: 1_700_000_061_000 } as const
  expect(await job.store.write((tx) => job.store.jobs.change(tx, job.job.jobNo, ['finalizing'], change))).toBe(true)
}

async function mixedJob(place: ReturnType<typeof workplace>): Promise<PlannedJob> {
  const input = { columns: ['body'], notes: ['delimiter ";"'], unreadable: 1 }
  return place.job({ spec: triage, input, chunks: mixed })
}

describe('the report', () => {
  it('says it all, verdict first', async () => {
    await using place = workplace()
    const job = await mixedJob(place)
    await end(job, 'completed')
    await expect(reportMarkdown(await gather(job))).toMatchFileSnapshot('fixtures/report.md')
  })

  it('says the same in JSON', async () => {
    await using place = workplace()
    const job = await mixedJob(place)
    await end(job, 'completed')
    const text = reportJson(await gather(job))
    expect(JSON.parse(text)).toMatchObject({
      version: 'sluice.report/1',
      made_at: '2023-11-14T22:15:00.000Z',
      verdict: { word: 'PASS' },
      job: { state: 'completed', wall_s: 61, active_s: 60 },
      simulated: 'none',
      rows: { total: 6, succeeded: 3, failed: 2, skipped: 1, cancelled: 0, pending: 0, cached: 1, retried: 1 },
      gates: [
        { gate: 'min_success', passed: true },
        { gate: 'max_cost_per_row_usd', passed: true },
      ],
      cost_usd: {
        total: 0.0008,
        lower_bound: false,
        per_row: 0.00016,
        without_accepted_answer: 0.0004,
        lost: 0,
        orphaned: 0,
      },
      tokens: { input: 400, cached: 160, cache_write: 0, output: 40, reasoning: 16 },
      prices: [{ model: 'openai/main', lane: 'live', input: 2, cached_input: 0.5, output: 9, lane_share: 1 }],
      saved: { prompt_cache: { hit_rate: 0.4, cached_tokens: 160, saved_usd: 0.00024 }, reuse: { rows: 1 } },
      heaviest_tenth: null,
      attempts: { total: 4, booked: 4, lost: 0, open: 0 },
      models: {
        asked: ['openai/main'],
        used: [{ model: 'openai/main', lane: 'live', attempts: 4, tokens: { input: 400 }, cost_usd: 0.0008 }],
        answered: [{ model: 'main-2026', rows: 3 }],
      },
      dead_letters: [
        { cause: 'content_filtered', rows: 1 },
        { cause: 'input_unreadable', rows: 1 },
      ],
      dearest: [{ row_id: 'T-2', cost_usd: 0.0004, share: 0.5 }, { row_id: 'T-1' }, { state: 'failed' }],
      outputs: [
        {
          name: 'topic',
          values: [
            { value: 'bug', rows: 2 },
            { value: 'login', rows: 1 },
            { value: 'other', rows: 0 },
          ],
          nulls: 0,
        },
        {
          name: 'urgent',
          values: [
            { value: 'true', rows: 1 },
            { value: 'false', rows: 1 },
          ],
          nulls: 1,
        },
      ],
      spec: { name: 'ticket_triage', hash: 'ab'.repeat(32) },
      input: { rows: 6, unreadable: 1, hash: 'ab'.repeat(32) },
    })
  })

  it('holds no contents of rows', async () => {
    await using place = workplace()
    const job = await mixedJob(place)
    const data = await gather(job)
    for (const text of [reportMarkdown(data), reportJson(data)]) expect(text).not.toMatch(/secret/)
    expect(reportMarkdown(data)).not.toContain('\u001b')
  })

  it('says why a job failed, stands still, or goes on', async () => {
    await using place = workplace()
    const job = await mixedJob(place)
    expect(reportMarkdown(await gather(job))).toMatch(/^# FINALIZING {2}3 of 5 rows succeeded \(60\.0%\)/)
    await end(job, 'failed', 'min_success: 60 % of 5 rows')
    expect(reportMarkdown(await gather(job, { gates: { minSuccess: 0.9, maxCostPerRowNano: null } }))).toMatch(
      /^# FAIL {2}3 of 5 rows succeeded \(60\.0%\) for \$0\.00080; 2 dead letters \(content_filtered 1, input_unreadable 1\); 1 skipped\.\n\ngate: min_success: 60 % of 5 rows\n[\s\S]*- \*\*missed\*\* `min_success`/,
    )
    const running = await place.job({
      spec: triage,
      input: { columns: ['body'] },
      chunks: [
        [
          { kind: 'row', values: ['x'] },
          { kind: 'row', values: ['x'], outcome: { output: '{}' } },
        ],
      ],
    })
    expect(reportMarkdown(await gather(running))).toMatch(
      /^# RUNNING {2}1 of 2 rows succeeded \(50\.0%\) for \$0\.00; 1 pending\.\n/,
    )
  })

  it('says how much of the tokens the heaviest tenth of the rows used', async () => {
    await using place = workplace()
    const rows = Array.from({ length: 40 }, (_, n): PlannedRow => {
      const inputTokens = n < 4 ? 2_400 : 98
      return { kind: 'row', values: ['x'], outcome: { output: '{}', inputTokens, outputTokens: 2 }, attempts: [{}] }
    })
    const job = await place.job({
      spec: triage,
      input: { columns: ['body'] },
      chunks: [rows.slice(0, 9), rows.slice(9)],
    })
    expect(reportMarkdown(await gather(job))).toContain(
      'The tenth of the rows with the most tokens used 72.7% of all tokens.',
    )
    const { heaviest_tenth } = JSON.parse(reportJson(await gather(job)))
    expect(heaviest_tenth).toEqual({ rows: 4, tokens: 9_608, share: 9_608 / 13_208 })
  })

  it('never takes an unknown price for nothing', async () => {
    await using place = workplace()
    const priced = (costNano: number | null): PlannedRow => {
      return { kind: 'row', values: ['x'], outcome: { output: '{}', costNano }, attempts: [{ costNano }] }
    }
    const input = { columns: ['body'] }
    const unknown = await gather(await place.job({ spec: triage, input, chunks: [[priced(null)]] }))
    expect(reportMarkdown(unknown)).toMatch(/rows? succeeded \(100%\) for an unknown cost\./)
    expect(JSON.parse(reportJson(unknown))).toMatchObject({
      cost_usd: { total: null, lower_bound: true, per_row: null },
      gates: [{ passed: true }, { gate: 'max_cost_per_row_usd', passed: false }],
    })
    const part = await gather(await place.job({ spec: triage, input, chunks: [[priced(null), priced(2_000_000)]] }))
    expect(reportMarkdown(part)).toMatch(/2 of 2 rows succeeded \(100%\) for at least \$0\.0020/)
    expect(JSON.parse(reportJson(part))).toMatchObject({ cost_usd: { total: 0.002, lower_bound: true } })
  })

  it('books what was lost with a dead worker, and says so', async () => {
    await using place = workplace()
    const lost: PlannedRow = { kind: 'row', values: ['x'], attempts: [{ lost: true }] }
    const job = await place.job({ spec: triage, input: { columns: ['body'] }, chunks: [[lost]] })
    await job.store.write((tx) => job.store.chunks.takeBack(tx, job.job.jobNo))
    await job.store.chunks.claim({ jobNo: job.job.jobNo, chunkNo: 0 }, 'another', true, now)
    const text = reportMarkdown(await gather(job))
    expect(text).toMatch(/lost with their process \(1, at their worst case\) +\| \$0\.00100 \|/)
  })

  it('marks what the simulator made up', async () => {
    await using place = workplace()
    const by = (...models: string[]) =>
      place.job({
        spec: { ...triage, model: { ...triage.model, target: target('simulator/fast') } },
        input: { columns: ['body'] },
        chunks: [
          models.map((model) => ({ kind: 'row', values: ['x'], outcome: { output: '{}' }, attempts: [{ model }] })),
        ],
      })
    const all = reportMarkdown(await gather(await by('simulator/fast', 'simulator/slow')))
    expect(all).toMatch(/for a simulated \$[\s\S]*\*\*Simulated:\*\*/)
    const some = reportMarkdown(await gather(await by('simulator/fast', 'openai/main')))
    expect(some).toMatch(/, in part simulated[\s\S]*\*\*Simulated in part:\*\*/)
    const none = await gather(await by('openai/main'))
    expect(none.simulated).toBe('none')
  })

  it('has words for jobs without rows', async () => {
    await using place = workplace()
    const empty = await place.job({ spec: triage, input: { columns: ['body'] }, chunks: [] })
    expect(reportMarkdown(await gather(empty))).toMatch(/^# QUEUED {2}the input has no rows\.\n/)
    const skipped = await place.job({
      spec: triage,
      input: { columns: ['body'] },
      chunks: [[{ kind: 'row', values: ['x'], outcome: { state: 'skipped' } }]],
    })
    await end(skipped, 'completed')
    expect(reportMarkdown(await gather(skipped))).toMatch(/^# PASS {2}input\.where skipped all rows \(1\)\.\n/)
  })

  it('measures running times up to the moment it is given', async () => {
    await using place = workplace()
    const job = await place.job({
      spec: triage,
      input: { columns: ['body'] },
      chunks: [[{ kind: 'row', values: ['x'] }]],
    })
    const data = await gather(job)
    expect([data.wallMs, data.activeMs]).toStrictEqual([100_000, 99_000])
  })
})
