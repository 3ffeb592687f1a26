import { describe, expect, it } from 'vitest'
import { GONE_AFTER_MS, type Member } from '../../src/store/role/fleet.ts'
import { claim, completeChunk, newJob, outcomeOf, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

const ROLE_MS = 10_000

function member(workerId: string, more: Partial<Member> = {}): Member {
  return { workerId, host: 'box', pid: 42, version: '1.2.3', jobNo: null, chunks: 5, concurrency: null, ...more }
}

/** Members, roles and holders: what every store must do. */
export function fleetConformance(under: () => StoreUnderTest): void {
  const fleet = () => under().store.fleet

  describe('members', () => {
    it('are seen as they describe themselves, oldest first, by every process', async () => {
      await fleet().join(member('b', { chunks: 3, concurrency: 100, jobNo: 7 }))
      await under().pass(1_000)
      await fleet().join(member('a'))
      const seen = await (await under().openAnother()).fleet.members()
      expect(seen.map(({ workerId }) => workerId)).toEqual(['b', 'a'])
      expect(seen[0]).toMatchObject({ host: 'box', pid: 42, version: '1.2.3', jobNo: 7, chunks: 3, concurrency: 100 })
      expect(seen[0]?.silentMs).toBeGreaterThanOrEqual(1_000)
      expect(seen.map(({ gone }) => gone)).toEqual([false, false])
    })

    it('are gone after ten seconds of silence, and back with the next beat', async () => {
      await fleet().join(member('a'))
      await fleet().join(member('b'))
      await under().pass(GONE_AFTER_MS - 1_000)
      expect(await fleet().isGone('a')).toBe(false)
      await fleet().beat('b', null)
      await under().pass(1_000)
      expect([await fleet().isGone('a'), await fleet().isGone('b')]).toEqual([true, false])
      expect((await fleet().members()).map(({ workerId, gone }) => [workerId, gone])).toEqual([
        ['a', true],
        ['b', false],
      ])
      const heard = await fleet().beat('a', 8)
      expect(heard.silentMs).toBeGreaterThanOrEqual(GONE_AFTER_MS)
      expect(await fleet().isGone('a')).toBe(false)
      expect((await fleet().members())[0]).toMatchObject({ workerId: 'a', concurrency: 8 })
    })

    it('who never were here are gone; who leave are off the list, and their roles free', async () => {
      expect(await fleet().isGone('nobody')).toBe(true)
      await fleet().join(member('a'))
      expect(await fleet().holdRole('janitor', 'a', ROLE_MS)).toBe(true)
      await fleet().leave('a')
      expect(await fleet().isGone('a')).toBe(true)
      expect(await fleet().members()).toEqual([])
      expect(await fleet().holdRole('janitor', 'b', ROLE_MS)).toBe(true)
    })

    it('who were forgotten learn it at their next beat', async () => {
      await fleet().join(member('a'))
      await under().pass(60_000)
      await fleet().join(member('b'))
      expect(await fleet().forget(30_000)).toBe(1)
      expect((await fleet().members()).map(({ workerId }) => workerId)).toEqual(['b'])
      expect(await fleet().beat('a', null)).toEqual({ silentMs: null, wantedConcurrency: null })
      expect(await fleet().isGone('a')).toBe(true)
    })

    it('hear once what somebody wants their concurrency to be', async () => {
      await fleet().join(member('a'))
      expect(await fleet().wantConcurrency('a', 12)).toBe(true)
      expect((await fleet().beat('a', 64)).wantedConcurrency).toBe(12)
      expect((await fleet().beat('a', 12)).wantedConcurrency).toBeNull()
      expect(await fleet().wantConcurrency('nobody', 12)).toBe(false)
    })
  })

  describe('single roles', () => {
    it('have one holder, who keeps them as long as it asks in time', async () => {
      expect(await fleet().holdRole('janitor', 'a', ROLE_MS)).toBe(true)
      expect(await fleet().holdRole('janitor', 'b', ROLE_MS)).toBe(false)
      expect(await fleet().holdRole('reconciler', 'b', ROLE_MS)).toBe(true)
      await under().pass(ROLE_MS - 1_000)
      expect(await fleet().holdRole('janitor', 'a', ROLE_MS)).toBe(true)
      await under().pass(ROLE_MS - 1_000)
      expect(await fleet().holdRole('janitor', 'b', ROLE_MS)).toBe(false)
      const [janitor] = await fleet().roles()
      expect(janitor).toMatchObject({ role: 'janitor', workerId: 'a' })
      // Held since it was first taken, not since it was last renewed.
      const { startedAtMs } = await joined('c')
      expect(startedAtMs - (janitor?.sinceMs ?? 0)).toBeGreaterThanOrEqual(2 * (ROLE_MS - 1_000))
    })

    it('move when their time has run out, and are not given back to who slept', async () => {
      await fleet().holdRole('janitor', 'a', ROLE_MS)
      await under().pass(ROLE_MS)
      expect(await fleet().roles()).toEqual([])
      expect(await fleet().holdRole('janitor', 'b', ROLE_MS)).toBe(true)
      expect(await fleet().holdRole('janitor', 'a', ROLE_MS)).toBe(false)
      await fleet().dropRole('janitor', 'a')
      expect(await fleet().roles()).toMatchObject([{ role: 'janitor', workerId: 'b' }])
    })

    it('are free at once when they are dropped', async () => {
      await fleet().holdRole('janitor', 'a', ROLE_MS)
      await fleet().dropRole('janitor', 'a')
      expect(await fleet().holdRole('janitor', 'b', ROLE_MS)).toBe(true)
    })

    it('go to one of many who ask at once, from any number of processes', async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      for (let round = 0; round < 5; round += 1) {
        const asked = others.map((store, n) => store.fleet.holdRole('janitor', `${round}/${n}`, ROLE_MS))
        expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1)
        await under().pass(ROLE_MS)
      }
    })

    const joined = async (workerId: string) => {
      await fleet().join(member(workerId))
      const seen = (await fleet().members()).find((one) => one.workerId === workerId)
      if (seen === undefined) throw new Error('it did not join')
      return seen
    }
  })

  describe('what is going on', () => {
    it('names who holds which chunk since when, longest first', async () => {
      const { store } = under()
      const first = await queuedJob(store, [1, 1, 1])
      const second = await queuedJob(store, [1])
      await claim(store, first.jobNo, 2, 'a')
      await under().pass(5_000)
      await claim(store, second.jobNo, 0, 'b')
      const done = await claim(store, first.jobNo, 0, 'a')
      await completeChunk(store, done, [outcomeOf(0)])
      const held = await fleet().holders(10)
      expect(held.map(({ jobNo, chunkNo, owner }) => [jobNo, chunkNo, owner])).toEqual([
        [first.jobNo, 2, 'a'],
        [second.jobNo, 0, 'b'],
      ])
      expect((held[1]?.leasedAtMs ?? 0) - (held[0]?.leasedAtMs ?? 0)).toBeGreaterThanOrEqual(5_000)
      expect(await fleet().holders(1)).toHaveLength(1)
      expect(await fleet().holders(1, second.jobNo)).toMatchObject([{ jobNo: second.jobNo, chunkNo: 0, owner: 'b' }])
    })

    it('lists jobs that are to be worked on, page by page, and those of which something is wanted', async () => {
      const { store } = under()
      await store.jobs.create(newJob())
      const jobs = [await queuedJob(store, [1]), await queuedJob(store, [1]), await queuedJob(store, [1])]
      const numbers = jobs.map(({ jobNo }) => jobNo)
      expect((await fleet().active(0, 2)).map(({ jobNo }) => jobNo)).toEqual(numbers.slice(0, 2))
      expect((await fleet().active(numbers[1] as number, 2)).map(({ jobNo }) => jobNo)).toEqual(numbers.slice(2))
      await store.jobs.want(numbers[1] as number, 'cancel')
      expect(await fleet().wished(5)).toEqual([{ jobNo: numbers[1], round: 0, state: 'queued', wanted: 'cancel' }])
      const paused = { to: 'paused', reason: 'user', atMs: T } as const
      await store.write((tx) => store.jobs.change(tx, numbers[0] as number, ['queued'], paused))
      expect((await fleet().active(0, 5)).map(({ jobNo }) => jobNo)).toEqual(numbers.slice(1))
    })

    it('counts the jobs that are to be worked on, by tenant and state', async () => {
      const { store } = under()
      expect(await fleet().standing()).toEqual([])
      await store.jobs.create(newJob())
      const { jobNo } = await queuedJob(store, [1])
      await queuedJob(store, [1])
      await store.write((tx) => store.jobs.change(tx, jobNo, ['queued'], { to: 'running', atMs: T }))
      const standing = [...(await fleet().standing())].sort((a, b) => a.state.localeCompare(b.state))
      expect(standing).toEqual([
        { tenantNo: 1, state: 'queued', jobs: 1 },
        { tenantNo: 1, state: 'running', jobs: 1 },
      ])
    })
  })
}
