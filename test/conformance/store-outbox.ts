import { describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import type { NewNotice, Notice } from '../../src/domain/notice.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import type { Store } from '../../src/store/store.ts'
import { nextId, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

const HASH = 'a'.repeat(64)

function aNotice(more: Partial<NewNotice> = {}): NewNotice {
  return {
    id: `msg_${nextId()}`,
    targetNo: 0,
    target: { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: 'HOOK_SECRET' },
    type: 'job.paused',
    body: '{"type":"job.paused"}',
    ...more,
  }
}

/** What jobs have to tell: what every store must do. */
export function outboxConformance(under: () => StoreUnderTest): void {
  const store = () => under().store
  const pause = (job: Job, notices: readonly NewNotice[], from: Store = store()) =>
    from.write(async (tx) => {
      await from.jobs.change(tx, job.jobNo, ['queued'], { to: 'paused', reason: 'user', atMs: T })
      await from.outbox.put(tx, job, notices, T)
    })
  const paused = async (...notices: NewNotice[]) => {
    const job = await queuedJob(store(), [1])
    await pause(job, notices)
    return job
  }
  const listed = async () => await store().outbox.list({ tenantNo: 1, limit: 100 })
  const claimOne = async (nowMs: number, from: Store = store()) => (await from.outbox.claim(nowMs, nowMs + 60, 10))[0]!

  describe('a notice', () => {
    it('is there with the change that it tells of, or not at all', async () => {
      const job = await queuedJob(store(), [1])
      const broken = store().write(async (tx) => {
        await store().jobs.change(tx, job.jobNo, ['queued'], { to: 'paused', reason: 'user', atMs: T })
        await store().outbox.put(tx, job, [aNotice()], T)
        throw new Error('killed')
      })
      await expect(broken).rejects.toThrow('killed')
      expect(await listed()).toEqual([])
      const notice = aNotice()
      await pause(job, [notice])
      const { jobNo, id: jobId, tenantNo } = job
      expect(await listed()).toEqual([
        {
          ...notice,
          tenantNo,
          jobNo,
          jobId,
          state: 'due',
          attempts: 0,
          createdAtMs: T,
          nextAtMs: T,
          endedAtMs: null,
          note: null,
          replayedAtMs: null,
        },
      ])
    })

    it('is told once of each change to each target', async () => {
      const [first, second] = [aNotice(), aNotice({ targetNo: 1 })]
      const job = await paused(first, second)
      await store().write((tx) => store().outbox.put(tx, job, [aNotice(), aNotice({ targetNo: 1 })], T))
      expect((await listed()).map(({ id }) => id)).toEqual([second.id, first.id])
      // The same state once more is another change.
      await store().write((tx) => store().jobs.change(tx, job.jobNo, ['paused'], { to: 'queued', atMs: T }))
      await pause(job, [aNotice()])
      expect(await listed()).toHaveLength(3)
      await store().write((tx) => store().outbox.put(tx, job, [], T))
    })

    it('belongs to its tenant', async () => {
      await under().addTenant(2)
      const job = await queuedJob(store(), [1], { tenantNo: 2 })
      const notice = aNotice()
      await pause(job, [notice])
      expect(await listed()).toEqual([])
      expect(await store().outbox.get(1, notice.id)).toBeNull()
      expect(await store().outbox.replay(1, notice.id, T)).toBe(false)
      expect(await store().outbox.get(2, notice.id)).toMatchObject({ id: notice.id, tenantNo: 2 })
    })

    it('goes when its job is thrown away', async () => {
      const job = await paused(aNotice())
      await store().write((tx) => store().jobs.change(tx, job.jobNo, ['paused'], { to: 'cancelled', atMs: T }))
      await store().upkeep.dropOld({ rowsBeforeMs: T + 30 * 86_400_000, attemptsBeforeMs: null })
      expect(await listed()).toEqual([])
    })
  })

  describe('a notice of no change', () => {
    const alone = (notice: NewNotice, jobNo: number | null, from: Store = store()) =>
      from.outbox.putAlone({ tenantNo: 1, jobNo }, notice, T)

    it('is there once, whoever adds it how often, with a job or without', async () => {
      const [first, second] = [aNotice({ type: 'batch.failed' }), aNotice({ type: 'batch.completed' })]
      const job = await paused(aNotice())
      const others = await Promise.all(Array.from({ length: 3 }, () => under().openAnother()))
      await Promise.all(others.map((other) => alone(first, null, other)))
      await alone(first, null)
      await alone(second, job.jobNo)
      const found = (await listed()).filter(({ type }) => type.startsWith('batch.'))
      expect(found).toHaveLength(2)
      expect(found.find(({ id }) => id === first.id)).toMatchObject({ jobNo: null, jobId: null, state: 'due' })
      expect(found.find(({ id }) => id === second.id)).toMatchObject({ jobNo: job.jobNo, jobId: job.id })
      expect(await store().outbox.get(1, first.id)).toMatchObject({ type: 'batch.failed', body: first.body })
      expect(await store().outbox.claim(T, T + 60, 10)).toHaveLength(3)
    })
  })

  describe('claims', () => {
    it('take what is due, longest due first, and count an attempt', async () => {
      const [first, second] = [aNotice(), aNotice({ targetNo: 1 })]
      await paused(first, second)
      expect(await store().outbox.claim(T - 1, T + 60, 10)).toEqual([])
      const claimed = await store().outbox.claim(T, T + 60, 1)
      expect(claimed).toMatchObject([{ attempts: 1, nextAtMs: T + 60, state: 'due' }])
      const rest = await store().outbox.claim(T, T + 60, 10)
      expect([...claimed, ...rest].map(({ id }) => id).sort()).toEqual([first.id, second.id].sort())
      expect(await store().outbox.claim(T + 59, T + 99, 10)).toEqual([])
    })

    it('go round: of tenants, and of no target, or tenant, more than its turn', async () => {
      await store().tenants.add('other', NO_CAPS, T)
      const slow = { kind: 'webhook', address: { url: 'https://slow.example/' }, secretEnv: null } as const
      await paused(...Array.from({ length: 9 }, (_, targetNo) => aNotice({ targetNo, target: slow })))
      await paused(...Array.from({ length: 5 }, (_, targetNo) => aNotice({ targetNo })))
      const foreign = aNotice({ target: slow })
      await store().outbox.putAlone({ tenantNo: 2, jobNo: null }, foreign, T)
      const turns = { perTarget: 3, perTenant: 5, busyTargets: [], busyTenants: [] }
      const first = await store().outbox.claim(T, T + 60, 4, turns)
      expect(first.slice().sort((a, b) => b.tenantNo - a.tenantNo)[0]).toMatchObject({ id: foreign.id, attempts: 1 })
      expect(first).toHaveLength(4)
      const toSlow = (notices: readonly Notice[]) =>
        notices.filter(({ tenantNo, target }) => tenantNo === 1 && JSON.stringify(target) === JSON.stringify(slow))
      const second = await store().outbox.claim(T, T + 60, 9, turns)
      expect([second.length, toSlow(second).length <= 3]).toEqual([5, true])
      const busy = { ...turns, busyTargets: [{ tenantNo: 1, target: slow }] }
      expect(toSlow(await store().outbox.claim(T, T + 60, 9, busy))).toEqual([])
      expect(await store().outbox.claim(T, T + 60, 9, { ...turns, busyTenants: [1] })).toEqual([])
      expect(toSlow(await store().outbox.claim(T, T + 60, 99, turns)).length).toBeGreaterThan(0)
    })

    it('go past what waits behind the first of a line, and past lines whose first is not due', async () => {
      await store().tenants.add('other', NO_CAPS, T)
      const to = (path: string) =>
        ({ kind: 'webhook', address: { url: `https://hooks.example/${path}` }, secretEnv: null }) as const
      const turns = { perTarget: 1, perTenant: 9, busyTargets: [], busyTenants: [] }
      await paused(...[0, 1, 2, 3, 4].map((n) => aNotice({ targetNo: n, target: to(n === 2 ? 'b' : 'a') })))
      await paused(aNotice({ target: to('c') }))
      const foreign = aNotice({ target: to('b') })
      await store().outbox.putAlone({ tenantNo: 2, jobNo: null }, foreign, T)
      const urls = (notices: readonly Notice[]) =>
        notices.map(
          ({ tenantNo, target: { address } }) => `${tenantNo} ${'url' in address ? address.url.slice(-1) : ''}`,
        )
      expect(urls(await store().outbox.claim(T, T + 60, 9, turns)).sort()).toEqual(['1 a', '1 b', '1 c', '2 b'])
      const rest = { ...turns, busyTargets: [{ tenantNo: 1, target: to('b') }] }
      expect(urls(await store().outbox.claim(T, T + 60, 9, rest))).toEqual(['1 a'])
      expect(urls(await store().outbox.claim(T, T + 60, 9, { ...rest, perTarget: 9 }))).toEqual(['1 a', '1 a'])
      expect(await store().outbox.claim(T + 59, T + 99, 9, turns)).toEqual([])
      expect(urls(await store().outbox.claim(T + 60, T + 99, 1, { ...turns, busyTenants: [1] }))).toEqual(['2 b'])
    })

    it('know a very long address by how it begins', async () => {
      const long = (end: string) =>
        ({
          kind: 'webhook',
          address: { url: `https://hooks.example/${'ü'.repeat(4_000)}${end}` },
          secretEnv: null,
        }) as const
      await paused(aNotice({ target: long('a') }), aNotice({ targetNo: 1, target: long('b') }))
      const turns = { perTarget: 1, perTenant: 9, busyTargets: [], busyTenants: [] }
      const busy = { ...turns, busyTargets: [{ tenantNo: 1, target: long('a') }] }
      expect(await store().outbox.claim(T, T + 60, 9, busy)).toEqual([])
      expect(await store().outbox.claim(T, T + 60, 9, turns)).toHaveLength(1)
      expect(await store().outbox.claim(T, T + 60, 9, turns)).toHaveLength(1)
    })

    it('in turn, by many at once, find each notice for one of them', async () => {
      await paused(...Array.from({ length: 12 }, (_, targetNo) => aNotice({ targetNo })))
      const others = await Promise.all(Array.from({ length: 3 }, () => under().openAnother()))
      const turns = { perTarget: 4, perTenant: 16, busyTargets: [], busyTenants: [] }
      const claimed = await Promise.all(others.map((other) => other.outbox.claim(T, T + 60, 9, turns)))
      expect(claimed.map((each) => each.length)).toEqual([4, 4, 4])
      expect(new Set(claimed.flat().map(({ id }) => id)).size).toBe(12)
    })

    it('of one notice by many at once go to one of them', async () => {
      await paused(aNotice(), aNotice({ targetNo: 1 }), aNotice({ targetNo: 2 }))
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const claimed = await Promise.all(others.map((other) => other.outbox.claim(T, T + 60, 2)))
      const ids = claimed.flat().map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      const rest = await store().outbox.claim(T, T + 60, 10)
      expect(new Set([...ids, ...rest.map(({ id }) => id)]).size).toBe(3)
    })

    it('of a dead process come back, and its attempt counts', async () => {
      await paused(aNotice())
      await claimOne(T)
      const again = await claimOne(T + 60, await under().openAnother())
      expect(again).toMatchObject({ attempts: 2 })
    })
  })

  describe('what came of an attempt', () => {
    const settled = { note: 'answered', atMs: T + 5, address: null }

    it('is written down by whoever has the claim, and by nobody else', async () => {
      await paused(aNotice())
      const dead = await claimOne(T)
      const alive = await claimOne(T + 60)
      expect(await store().outbox.settle(dead, { ...settled, state: 'delivered' })).toBe(false)
      const due = { ...settled, state: 'due', nextAtMs: T + 500 } as const
      expect(await store().outbox.settle(alive, due)).toBe(true)
      expect(await listed()).toMatchObject([{ state: 'due', nextAtMs: T + 500, note: 'answered', endedAtMs: null }])
      expect(await store().outbox.claim(T + 499, T + 600, 10)).toEqual([])
      const last = await claimOne(T + 500)
      expect(await store().outbox.settle(last, { ...settled, state: 'delivered' })).toBe(true)
      expect(await listed()).toMatchObject([{ state: 'delivered', nextAtMs: null, endedAtMs: T + 5, attempts: 3 }])
      expect(await store().outbox.claim(T + 9_999, T + 10_000, 10)).toEqual([])
      expect(await store().outbox.list({ tenantNo: 1, limit: 9, states: ['due', 'given_up'] })).toEqual([])
    })

    it('is void once the notice is sent anew by hand', async () => {
      const notice = aNotice()
      await paused(notice)
      const before = await claimOne(T)
      expect(await store().outbox.replay(1, notice.id, T + 7)).toBe(true)
      expect(await store().outbox.settle(before, { ...settled, state: 'given_up' })).toBe(false)
      const again = await claimOne(T + 7)
      expect(again).toMatchObject({ id: notice.id, attempts: 1, replayedAtMs: T + 7 })
      expect(await store().outbox.settle(again, { ...settled, state: 'given_up' })).toBe(true)
      expect(await store().outbox.replay(1, notice.id, T + 90)).toBe(true)
      expect(await store().outbox.get(1, notice.id)).toMatchObject({ state: 'due', attempts: 0, endedAtMs: null })
    })

    it('can be its sender’s from the start when it is sent anew', async () => {
      const notice = aNotice()
      await paused(notice)
      expect(await store().outbox.replay(1, notice.id, T + 7, T + 60)).toBe(true)
      expect(await store().outbox.claim(T + 59, T + 99, 9)).toEqual([])
      const mine = (await store().outbox.get(1, notice.id))!
      expect(mine).toMatchObject({ state: 'due', attempts: 1, replayedAtMs: T + 7 })
      expect(await store().outbox.settle(mine, { ...settled, state: 'delivered' })).toBe(true)
      expect(await store().outbox.replay(2, notice.id, T + 7, T + 60)).toBe(false)
    })

    it('is counted where notices to one target were given up, since one arrived there', async () => {
      const there = aNotice()
      const elsewhere = { target: { ...there.target, address: { env: 'OTHER_URL' } } }
      await paused(there, aNotice({ targetNo: 1 }), aNotice({ targetNo: 2, ...elsewhere }), aNotice({ targetNo: 3 }))
      const [first, second, other, last] = (await store().outbox.claim(T, T + 60, 10)).toSorted(
        (a, b) => a.targetNo - b.targetNo,
      )
      const giveUp = { ...settled, state: 'given_up' } as const
      expect(await store().outbox.givenUpBeside(first!)).toBe(0)
      await store().outbox.settle(first!, giveUp)
      await store().outbox.settle(other!, giveUp)
      expect(await store().outbox.givenUpBeside(first!)).toBe(0)
      expect(await store().outbox.givenUpBeside(second!)).toBe(1)
      expect(await store().outbox.givenUpBeside({ ...second!, tenantNo: 2 })).toBe(0)
      await store().outbox.settle(last!, { ...settled, state: 'delivered', atMs: T + 6 })
      expect(await store().outbox.givenUpBeside(second!)).toBe(0)
    })

    it('tells of addresses that are gone, until one takes something again', async () => {
      await paused(aNotice(), aNotice({ targetNo: 1 }), aNotice({ targetNo: 2 }))
      const [first, second, third] = await store().outbox.claim(T, T + 60, 10)
      const at = (hash: string, gone: boolean) => ({ ...settled, address: { hash, gone } })
      await store().outbox.settle(first!, { ...at(HASH, true), state: 'given_up' })
      expect(await store().outbox.goneAt(1, HASH)).toBe(T + 5)
      expect(await store().outbox.goneAt(1, 'b'.repeat(64))).toBeNull()
      expect(await store().outbox.goneAt(2, HASH)).toBeNull()
      await store().outbox.settle(second!, { ...at(HASH, false), state: 'due', nextAtMs: T + 9 })
      expect(await store().outbox.goneAt(1, HASH)).toBe(T + 5)
      await store().outbox.settle(third!, { ...at(HASH, false), state: 'delivered' })
      expect(await store().outbox.goneAt(1, HASH)).toBeNull()
    })
  })
}
