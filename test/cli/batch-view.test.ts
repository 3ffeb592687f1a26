import { describe, expect, it } from 'vitest'
import { batchLines, batchText } from '../../src/cli/batch-view.ts'
import { panelLines } from '../../src/cli/panel.ts'
import { batchesFields } from '../../src/engine/job-json.ts'
import type { JobStatus } from '../../src/engine.ts'
import { aStatus } from './fake-engine.ts'

type Batches = NonNullable<JobStatus['batches']>
type Shard = Batches['shards'][number]

const NOW = Date.parse('2026-11-22T12:00:00Z')
const MINUTE = 60_000

function shard(more: Partial<Shard> = {}): Shard {
  return {
    id: '01934f5e-7c1f-7000-8000-000000000001',
    state: 'submitted',
    requests: 50_000,
    batchId: 'batch_1',
    submittedAtMs: NOW - 12 * MINUTE,
    heardAtMs: NOW - MINUTE,
    cancelWantedMs: null,
    note: null,
    said: {
      batchId: 'batch_1',
      phase: 'running',
      end: null,
      total: 50_000,
      succeeded: 2_000,
      failed: 100,
      files: [],
      createdAtMs: null,
      expiresAtMs: null,
      failure: null,
      queueFull: false,
    },
    ...more,
  }
}

const batches = (...shards: readonly Shard[]): Batches => ({ packed: 0, placed: 0, answered: 0, booked: 0, shards })

describe('what a job has in batches', () => {
  it('is one line, with how far the provider says it is', () => {
    const unsent = shard({
      state: 'planned',
      said: null,
      batchId: null,
      submittedAtMs: null,
      heardAtMs: null,
      requests: 20_000,
    })
    expect(batchText({ ...batches(shard(), unsent), packed: 80_000, answered: 5 }, NOW)).toBe(
      '2 batches: 2,100/70,000 answered (1 running, 1 planned)   80,000 wait for a batch   5 came back',
    )
    expect(batchText(batches(), NOW)).toBeNull()
  })

  it('says that the provider is silent, and what is unclear', () => {
    const silent = shard({ heardAtMs: NOW - 25 * MINUTE })
    expect(batchText(batches(silent), NOW)).toBe('1 batch: 2,100/50,000 answered (1 running)   silent for 25 min')
    const unclear = shard({ state: 'unclear', said: null, batchId: null, note: 'two batches could be it' })
    expect(batchText(batches(unclear), NOW)).toContain('1 unclear: see sluice status')
    expect(batchLines(batches(silent, unclear), NOW)).toEqual([
      'batch_1   running   2,100/50,000 requests   sent 12 min ago   silent for 25 min',
      'shard 01934f5e-7c1f-7000-8000-000000000001   unclear   50,000 requests   sent 12 min ago',
      '  two batches could be it',
      expect.stringContaining('sluice batches'),
    ])
  })

  it('takes the place of the speed in the panel, and no ETA is made up', () => {
    const lines = panelLines(
      aStatus({ lane: 'batch', batches: batches(shard()) }),
      { nowMs: NOW, stage: 'working' },
      100,
    )
    expect(lines[0]).toContain(' · batch')
    expect(lines[3]).toBe('batches 1 batch: 2,100/50,000 answered (1 running)')
  })

  it('says beside it how long batches of the account took, where some were seen', () => {
    const turnarounds = { ms: { low: 20 * MINUTE, expected: 60 * MINUTE, high: 180 * MINUTE }, batches: 12 }
    const status = aStatus({ lane: 'batch', batches: batches(shard()), turnarounds })
    expect(panelLines(status, { nowMs: NOW, stage: 'working' }, 130)[3]).toBe(
      'batches 1 batch: 2,100/50,000 answered (1 running)   batches of this account mostly took 20 min to 3 h (the last 12)',
    )
  })

  it('is the same for programs', () => {
    expect(batchesFields(null)).toBeNull()
    expect(batchesFields(batches(shard({ cancelWantedMs: NOW })))).toEqual({
      packed: 0,
      placed: 0,
      answered: 0,
      shards: [
        {
          shard: '01934f5e-7c1f-7000-8000-000000000001',
          state: 'submitted',
          batch: 'batch_1',
          requests: 50_000,
          phase: 'running',
          succeeded: 2_000,
          failed: 100,
          submitted_at: '2026-11-22T11:48:00.000Z',
          heard_at: '2026-11-22T11:59:00.000Z',
          cancel_wanted: true,
          note: null,
        },
      ],
    })
  })
})
