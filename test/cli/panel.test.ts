import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PANEL_LINES, panelLines, phaseText, shownPercent, stateText } from '../../src/cli/panel.ts'
import { widthOf } from '../../src/cli/terminal-text.ts'
import { CAUSES } from '../../src/domain/failure.ts'
import { type Counters, JOB_STATES, NO_COUNTS } from '../../src/domain/job.ts'
import type { Route } from '../../src/domain/route.ts'
import type { JobStatus, LiveStatus } from '../../src/engine.ts'
import { aFinished, aJob, aLive, aStatus, CREATED_MS, JOB_ID } from './fake-engine.ts'

const NOW = { nowMs: CREATED_MS + 41_000, stage: 'working' } as const

describe('the panel', () => {
  it('says it all in eight lines', () => {
    const retrying = aLive({ retrying: [{ cause: 'rate_limited', attempts: 5 }] })
    expect(panelLines(aStatus({ live: retrying }), NOW, 110)).toEqual([
      `${JOB_ID} · ticket-triage · openai/gpt-5-mini · live`,
      '[#######################---------------]  61%   122/200   eta 0:16',
      'rows    ok 119 (3 reused)   failed 3   running 16   pending 62',
      'speed   7.4 rows/s   91,000 tokens/min   concurrency 64   asked again: 5 rate_limited',
      'tokens  in 41,388 (12,160 cached)   out 3,561   cost $0.0214',
      'saved   5 of 8 chunks   last checkpoint 2 s ago',
      'errors  2 schema_invalid   1 content_filtered',
      'Ctrl-C stops cleanly: rows in flight finish, the rest stay pending.',
    ])
  })

  it('names the phase in place of the ETA', () => {
    const line = (live: Partial<LiveStatus>) => panelLines(aStatus({ live: aLive(live) }), NOW, 110)[1]
    expect(line({ phase: 'waiting', note: 'rate limit, 12 s' })).toContain(
      '61%   122/200   waiting for the provider: rate limit, 12 s',
    )
    expect(line({ phase: 'stopping' })).toContain('stopping: 16 rows in flight')
    expect(line({ phase: 'finalizing' })).toContain('finalizing')
    expect(line({ phase: 'storage' })).toContain('the store cannot be written, trying again')
    expect(line({ phase: 'intake' })).toBe('reading input   200 rows so far')
    expect(line({ etaMs: null })).toContain('elapsed 0:41')
  })

  it('says at each stage what Ctrl-C does', () => {
    const last = (stage: 'working' | 'stopping' | 'abandoning' | 'watching') =>
      panelLines(aStatus(), { ...NOW, stage }, 110).at(-1)
    expect(last('stopping')).toBe('Stopping: 16 rows in flight finish (10 s at most); Ctrl-C again abandons them.')
    expect(last('abandoning')).toBe('Stopping at once. What was finished is kept.')
    expect(last('watching')).toBe('Ctrl-C stops watching; the job goes on.')
  })

  it('shows a wish that the state has not followed yet', () => {
    expect(stateText({ job: aJob({ wanted: 'pause' }) })).toBe('running (pause asked)')
    expect(phaseText(aStatus({ job: aJob({ state: 'paused', reason: 'quota' }), live: null }))).toBe('paused: quota')
  })

  it('starts a resumed bar at what is done', () => {
    const resumed = aStatus({ rowsDone: 138, rowsAtStart: 138, live: aLive({ etaMs: null, rowsPerSecond: 0 }) })
    expect(panelLines(resumed, NOW, 110)[1]).toContain('69%   138/200')
  })
})

describe('percent', () => {
  it('shows 100 only for a job that is over', () => {
    expect(shownPercent(aStatus({ rowsDone: 200 }))).toBe(99)
    expect(shownPercent(aFinished())).toBe(100)
  })
})

const natural = fc.nat({ max: 10_000_000 })
const counters = fc.record(
  Object.fromEntries(Object.keys(NO_COUNTS).map((key) => [key, natural])) as Record<
    keyof Counters,
    fc.Arbitrary<number>
  >,
)
const live: fc.Arbitrary<LiveStatus | null> = fc.option(
  fc.record({
    phase: fc.constantFrom('intake', 'working', 'stopping', 'waiting', 'finalizing', 'storage'),
    inFlight: natural,
    concurrency: natural,
    rowsPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
    tokensPerMinute: fc.double({ min: 0, max: 1e9, noNaN: true }),
    etaMs: fc.option(natural),
    retrying: fc.array(fc.record({ cause: fc.constantFrom(...CAUSES), attempts: natural }), { maxLength: 21 }),
    lastCommitMs: fc.option(natural),
    note: fc.option(fc.string({ unit: 'grapheme' })),
  }),
)
const routeFor = (why: string): Route => ({
  way: 'live',
  chosen: 'batch',
  deadlineAtMs: null,
  why,
  ways: [],
  liveMsPerRow: 1,
  changes: [{ atMs: CREATED_MS, to: 'live', why }],
})
const status: fc.Arbitrary<JobStatus> = fc
  .record({
    state: fc.constantFrom(...JOB_STATES),
    specName: fc.string({ unit: 'grapheme' }),
    rowsTotal: natural,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    counters,
    live,
    causes: fc.array(fc.record({ cause: fc.constantFrom(...CAUSES), rows: natural }), { maxLength: 21 }),
    model: fc.string({ unit: 'grapheme' }),
    lane: fc.constantFrom('live', 'batch', 'auto'),
    deadlineAtMs: fc.option(fc.integer({ min: 0, max: 2 * CREATED_MS })),
    why: fc.option(fc.string({ unit: 'grapheme' })),
  })
  .map(({ state, specName, rowsTotal, share, why, ...rest }) =>
    aStatus({
      ...rest,
      job: aJob({ state, specName, rowsTotal, ...(why !== null && { route: routeFor(why) }) }),
      rowsDone: Math.floor(rowsTotal * share),
    }),
  )

describe('whatever the job', () => {
  const stage = fc.constantFrom('working', 'stopping', 'abandoning', 'watching')

  it('the panel is never over eight lines, nor wider than the terminal', () => {
    fc.assert(
      fc.property(status, stage, fc.integer({ min: 20, max: 300 }), (now, at, width) => {
        const lines = panelLines(now, { ...NOW, stage: at }, width)
        expect(lines.length).toBeLessThanOrEqual(PANEL_LINES)
        for (const line of lines) {
          expect(widthOf(line)).toBeLessThanOrEqual(width)
          expect(line).not.toMatch(/\p{Cc}/u)
        }
      }),
    )
  })

  it('percent is rounded down, and 100 means that all rows are done', () => {
    fc.assert(
      fc.property(status, (now) => {
        const percent = shownPercent(now)
        expect(percent * now.job.rowsTotal).toBeLessThanOrEqual(now.rowsDone * 100)
        if (percent === 100) expect(now.rowsDone).toBe(now.job.rowsTotal)
      }),
    )
  })
})
