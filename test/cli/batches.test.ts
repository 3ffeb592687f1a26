import { describe, expect, it } from 'vitest'
import type { OpenBatch } from '../../src/engine.ts'
import { aStatus, CREATED_MS, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const SHARD = '01934f5e-7c1f-7000-8000-000000000001'

function aBatch(more: Partial<OpenBatch> = {}): OpenBatch {
  return {
    id: SHARD,
    state: 'unclear',
    requests: 1_000,
    batchId: null,
    guessed: false,
    plannedAtMs: CREATED_MS - 3_600_000,
    intentAtMs: CREATED_MS - 1_800_000,
    submittedAtMs: null,
    heardAtMs: null,
    cancelWantedMs: null,
    note: 'several batches could be it, and it is not sent again: msgbatch_1, msgbatch_2',
    said: null,
    jobs: [JOB_ID],
    ...more,
  }
}

const running = aBatch({
  id: '01934f5e-7c1f-7000-8000-000000000002',
  state: 'submitted',
  batchId: 'batch_1',
  submittedAtMs: CREATED_MS,
  note: null,
  said: {
    batchId: 'batch_1',
    phase: 'running',
    end: null,
    total: 1_000,
    succeeded: 200,
    failed: 10,
    files: [],
    createdAtMs: null,
    expiresAtMs: null,
    failure: null,
    queueFull: false,
  },
})

describe('sluice batches', () => {
  it('lists them, and says where a person can help', async () => {
    const { run, out, calls } = cli({ batches: async () => [aBatch(), running] }, { tty: 140 })
    expect(await run('batches')).toBe(0)
    expect(out()).toBe(
      [
        'BATCH                                 STATE     REQUESTS     AGE  JOB',
        `${SHARD}  unclear      1,000  30 min  ${JOB_ID}`,
        '  several batches could be it, and it is not sent again: msgbatch_1, msgbatch_2',
        `  sluice settle ${SHARD} --is <batch>   (or --not-sent)`,
        `batch_1                               running  210/1,000    41 s  ${JOB_ID}`,
        '',
      ].join('\n'),
    )
    expect(calls).toEqual(['batches', 'close'])
  })

  it('of one job, for programs', async () => {
    const { run, events, calls } = cli({ batches: async () => [running], status: async () => aStatus() })
    expect(await run('batches', JOB_ID)).toBe(0)
    expect(calls).toEqual([`batches ${JOB_ID}`, `status ${JOB_ID}`, 'close'])
    expect(events()[1]).toEqual({
      type: 'batch',
      jobs: [JOB_ID],
      shard: running.id,
      state: 'submitted',
      batch: 'batch_1',
      requests: 1_000,
      phase: 'running',
      succeeded: 200,
      failed: 10,
      submitted_at: new Date(CREATED_MS).toISOString(),
      heard_at: null,
      cancel_wanted: false,
      note: null,
      guessed: false,
      planned_at: new Date(CREATED_MS - 3_600_000).toISOString(),
    })
    expect(events().at(-1)).toMatchObject({ type: 'summary', job: JOB_ID })
  })

  it('says so when none is out', async () => {
    const { run, err } = cli({ batches: async () => [] })
    expect(await run('batches')).toBe(0)
    expect(err()).toBe('No batch is out.\n')
  })
})

describe('sluice settle', () => {
  it('says which batch it is', async () => {
    const asked: unknown[] = []
    const { run, err, events } = cli({
      settle: async (batch, verdict) => {
        asked.push(batch, verdict)
        return aBatch({ state: 'submitted', batchId: 'msgbatch_2', guessed: true })
      },
    })
    expect(await run('settle', SHARD, '--is', 'msgbatch_2')).toBe(0)
    expect(asked).toEqual([SHARD, { is: 'batch', batchId: 'msgbatch_2' }])
    expect(err()).toBe(
      `${SHARD} (1,000 requests) is taken for msgbatch_2, until its results show it.\nWhere nobody works on it:  sluice resume ${JOB_ID}\n`,
    )
    expect(events().at(-1)).toMatchObject({ type: 'batch', shard: SHARD, batch: 'msgbatch_2', guessed: true })
  })

  it('says that none is', async () => {
    const asked: unknown[] = []
    const { run, err } = cli({
      settle: async (_batch, verdict) => {
        asked.push(verdict)
        return aBatch({ state: 'planned' })
      },
    })
    expect(await run('settle', SHARD, '--not-sent')).toBe(0)
    expect(asked).toEqual([{ is: 'not-sent' }])
    expect(err()).toContain(`${SHARD} (1,000 requests) was not sent: it is sent again.\n`)
  })

  it('wants to be told one of the two; exit 2', async () => {
    for (const flags of [[], ['--is', 'batch_1', '--not-sent']]) {
      const { run, calls } = cli({})
      expect(await run('settle', SHARD, ...flags)).toBe(2)
      expect(calls).toEqual(['close'])
    }
  })
})
