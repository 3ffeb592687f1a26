import { describe, expect, it } from 'vitest'
import type { Notice } from '../../src/domain/notice.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { SluiceError } from '../../src/errors.ts'
import type { Service } from '../../src/service.ts'
import { CREATED_MS, fakeEngine, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const aNotice = (more: Partial<Notice> = {}): Notice => ({
  id: 'msg_1',
  tenantNo: 1,
  jobNo: 1,
  jobId: JOB_ID,
  targetNo: 0,
  target: { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: 'HOOK_SECRET' },
  type: 'job.completed',
  body: '{}',
  state: 'due',
  attempts: 2,
  createdAtMs: CREATED_MS,
  nextAtMs: CREATED_MS + 300_000,
  endedAtMs: null,
  note: 'answered 500; attempt 2, next in 5 minutes',
  replayedAtMs: null,
  ...more,
})

describe('sluice notify', () => {
  it('lists what became of notices, by names and never by what is in them', async () => {
    const { run, events } = cli({ notices: async () => [aNotice(), aNotice({ id: 'msg_0', state: 'delivered' })] })
    expect(await run('notify')).toBe(0)
    expect(events().slice(1)).toEqual([
      {
        type: 'notification',
        id: 'msg_1',
        job: JOB_ID,
        event: 'job.completed',
        to: `webhook \${HOOK_URL}`,
        state: 'due',
        attempts: 2,
        created_at: '2026-11-22T08:00:00.000Z',
        next_at: '2026-11-22T08:05:00.000Z',
        ended_at: null,
        note: 'answered 500; attempt 2, next in 5 minutes',
      },
      expect.objectContaining({ id: 'msg_0', state: 'delivered' }),
    ])
  })

  it('says where there is none', async () => {
    const { run, err } = cli({ notices: async () => [] })
    expect(await run('notify', '--list')).toBe(0)
    expect(err()).toContain('No job has had anything to tell.')
  })

  it('sends what is due', async () => {
    const { run, err, calls } = cli({ sendNotices: async () => 1, notices: async () => [aNotice()] })
    expect(await run('notify', '--send')).toBe(0)
    expect(err()).toContain('1 sent, or tried:')
    expect(calls).toContain('sendNotices')
    const idle = cli({ sendNotices: async () => 0 })
    expect(await idle.run('notify', '--send')).toBe(0)
    expect(idle.err()).toContain('Nothing is due.')
  })

  it.each([
    ['delivered', 0],
    ['due', 1],
  ] as const)('sends one anew; where it is %s then, the exit code is %i', async (state, code) => {
    const { run, events, calls } = cli({ replayNotice: async () => aNotice({ state }) })
    expect(await run('notify', '--replay', 'msg_1')).toBe(code)
    expect(calls).toContain('replayNotice msg_1')
    expect(events().at(-1)).toMatchObject({ type: 'notification', id: 'msg_1', state })
  })

  it('refuses what is not there, and what cannot be done at once', async () => {
    const none = cli({
      replayNotice: async () => {
        throw new SluiceError('notice_not_found', 'there is no notification msg_9 here')
      },
    })
    expect(await none.run('notify', '--replay', 'msg_9')).toBe(2)
    expect(none.err()).toContain('msg_9')
    expect(await cli({}).run('notify', '--send', '--list')).toBe(2)
  })

  it('is about one tenant at a time: a notice of another is none', async () => {
    const asked: number[] = []
    const { engine } = fakeEngine({
      notices: async () => [aNotice({ tenantNo: 2 })],
      replayNotice: async (id) => {
        throw new SluiceError('notice_not_found', `there is no notification ${id} here`)
      },
    })
    const service = {
      tenants: { byName: async (name: string) => (name === 'search' ? { tenantNo: 2, name, caps: NO_CAPS } : null) },
      engine: (tenantNo: number) => {
        asked.push(tenantNo)
        return engine
      },
      close: async () => undefined,
    } as unknown as Service
    const sluice = async (...args: string[]) => {
      const { run, err } = cli({}, { more: { openService: async () => service } })
      return { code: await run('notify', ...args), err: err() }
    }
    expect((await sluice('--tenant', 'search')).code).toBe(0)
    expect(asked).toEqual([2])
    expect((await sluice('--tenant', 'search', '--replay', 'msg_1')).err).toContain('there is no notification msg_1')
    expect((await sluice('--tenant', 'nobody')).err).toContain('there is no tenant `nobody`')
  })
})
