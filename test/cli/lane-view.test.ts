import { describe, expect, it } from 'vitest'
import { statusLines } from '../../src/cli/command/status.ts'
import { laneFacts, laneText } from '../../src/cli/lane-view.ts'
import { panelLines } from '../../src/cli/panel.ts'
import { createStyle } from '../../src/cli/style.ts'
import { type Route, rerouted } from '../../src/domain/route.ts'
import { laneFields } from '../../src/engine/job-json.ts'
import type { Engine, JobStatus } from '../../src/engine.ts'
import { A_ROUTE } from '../delivery/a-plan.ts'
import { aFinished, aJob, aLive, aStatus, CREATED_MS, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DEADLINE = CREATED_MS + 12 * HOUR
const NOW = { nowMs: CREATED_MS + HOUR, stage: 'working' } as const

const chosen: Route = {
  way: 'batch',
  chosen: 'batch',
  deadlineAtMs: DEADLINE,
  why: 'half the price of live, and in time',
  ways: A_ROUTE.ways,
  liveMsPerRow: 10,
  changes: [],
}
const escalated = rerouted(chosen, { atMs: CREATED_MS + 11 * HOUR, to: 'live', why: 'the deadline is near' })

const onAuto = (route: Route | undefined, more: Partial<JobStatus> = {}) =>
  aStatus({ lane: 'auto', deadlineAtMs: DEADLINE, ...more, job: aJob({ ...more.job, ...(route && { route }) }) })

describe('a job of the lane auto', () => {
  it('says in the panel which way it goes, how far its deadline is, and why', () => {
    const lines = panelLines(onAuto(chosen), NOW, 130)
    expect(lines[0]).toBe(`${JOB_ID} · ticket-triage · openai/gpt-5-mini · auto`)
    expect(lines[5]).toBe(
      'lane    auto -> batch   deadline in 11 h 0 min   5 of 8 chunks saved   half the price of live, and in time',
    )
    expect(panelLines(onAuto(escalated), { ...NOW, nowMs: DEADLINE + MINUTE }, 130)[5]).toBe(
      'lane    auto -> batch -> live   deadline passed 1 min 0 s ago   5 of 8 chunks saved   the deadline is near',
    )
  })

  it('has no way before it is chosen, and no deadline where it was given none', () => {
    expect(laneText(onAuto(undefined, { deadlineAtMs: null }), NOW.nowMs)).toBe('auto, not chosen yet')
    expect(laneFacts(onAuto(undefined, { deadlineAtMs: null }), NOW.nowMs)).toEqual([['lane', 'auto, not chosen yet']])
  })

  it('shows in its status what was chosen, each change, and the deadline', () => {
    const lines = statusLines(onAuto(escalated), NOW.nowMs, 130, createStyle(false))
    expect(lines.filter((line) => /lane|deadline/.test(line))).toEqual([
      'lane     auto -> batch (half the price of live, and in time)',
      '         2026-11-22 19:00 UTC live: the deadline is near',
      'deadline 2026-11-22 20:00 UTC, in 11 h 0 min',
    ])
  })

  it('is over: the deadline was met, or missed', () => {
    const ended = (endedAtMs: number) => laneFacts({ ...aFinished(), ...endedAt(endedAtMs) }, DEADLINE + HOUR)
    const endedAt = (endedAtMs: number) => ({ deadlineAtMs: DEADLINE, job: aJob({ state: 'completed', endedAtMs }) })
    expect(ended(DEADLINE - MINUTE)).toEqual([['deadline', '2026-11-22 20:00 UTC, met, 1 min 0 s before it']])
    expect(ended(DEADLINE + MINUTE)).toEqual([['deadline', '2026-11-22 20:00 UTC, missed by 1 min 0 s']])
  })

  it('is the same for programs', () => {
    const turnarounds = { ms: { low: 20 * MINUTE, expected: HOUR, high: 3 * HOUR }, batches: 12 }
    expect(laneFields(onAuto(escalated, { turnarounds }), NOW.nowMs)).toEqual({
      lane: 'auto',
      route: {
        way: 'live',
        chosen: 'batch',
        why: 'half the price of live, and in time',
        ways: [
          expect.objectContaining({ way: 'batch', share_in_time: 0.98 }),
          expect.objectContaining({ way: 'live', cost_usd: { low: 0.854, expected: 0.882, high: 0.913 } }),
        ],
        changes: [{ at: '2026-11-22T19:00:00.000Z', to: 'live', why: 'the deadline is near' }],
      },
      deadline: { at: '2026-11-22T20:00:00.000Z', left_s: 39_600, met: null },
      turnarounds: { batches: 12, low: 1200, expected: 3600, high: 10_800 },
    })
    expect(laneFields(aStatus(), NOW.nowMs)).toEqual({ lane: 'live', route: null, deadline: null, turnarounds: null })
  })
})

describe('a job of another lane with a deadline', () => {
  it('is watched', () => {
    const status = aStatus({ deadlineAtMs: DEADLINE })
    expect(panelLines(status, NOW, 130)[5]).toBe('lane    live   deadline in 11 h 0 min   5 of 8 chunks saved')
    expect(laneFacts(status, NOW.nowMs)).toEqual([['deadline', '2026-11-22 20:00 UTC, in 11 h 0 min']])
  })
})

describe('where nobody draws a panel', () => {
  it('the way is said when it is chosen, and at each change', async () => {
    const watch: Engine['watch'] = async function* () {
      for (const route of [undefined, chosen, chosen, escalated, escalated]) yield onAuto(route)
      yield { ...onAuto(escalated), ...aFinished({ live: aLive() }) }
    }
    const { run, err, events } = cli({ watch })
    await run('watch', JOB_ID)
    expect(err().match(/^lane .*$/gm)).toEqual([
      'lane auto -> batch (half the price of live, and in time)',
      'lane auto -> batch -> live (the deadline is near)',
    ])
    expect(events().filter(({ type }) => type === 'route')).toMatchObject([
      { job: JOB_ID, way: 'batch', chosen: 'batch', changes: [] },
      { job: JOB_ID, way: 'live', chosen: 'batch', changes: [{ to: 'live' }] },
    ])
    expect(events().find(({ type }) => type === 'progress')).toMatchObject({
      way: null,
      deadline: { at: '2026-11-22T20:00:00.000Z', met: null },
    })
  })
})
