import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { AS_SPECIFIED, isTerminal, JOB_STATES, type JobState, mayBecome } from '../../src/domain/job.ts'
import { type Route, rerouted } from '../../src/domain/route.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { newJob, SPEC_HASH, type StoreUnderTest, T } from './store-fixture.ts'

/** Jobs: keys, states, wishes, rounds, events, tenants. */
export function jobsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const change = (jobNo: number, from: readonly JobState[], to: JobState, atMs = T) =>
    store.write((tx) => store.jobs.change(tx, jobNo, from, { to, atMs }))
  const jobIn = async (...path: readonly JobState[]) => {
    const { job } = await store.jobs.create(newJob())
    let state: JobState = 'created'
    for (const to of path) {
      expect(await change(job.jobNo, [state], to)).toBe(true)
      state = to
    }
    return job.jobNo
  }
  const read = async (jobNo: number) => (await store.jobs.getByNo(jobNo))!

  describe('creation', () => {
    it('makes a job in state created that can be found by id, number and key', async () => {
      const { job, created } = await store.jobs.create(newJob({ jobKey: 'nightly', triggerRef: 'line 1' }))
      expect(created).toBe(true)
      expect(job).toMatchObject({ state: 'created', round: 0, rowsTotal: 0, specHash: SPEC_HASH, jobKey: 'nightly' })
      expect(job).toMatchObject({ activeMs: 0, activeSinceMs: null, wanted: null, input: null, triggerRef: 'line 1' })
      expect(await store.jobs.get(DEFAULT_TENANT, job.id)).toStrictEqual(job)
      expect(await store.jobs.getByNo(job.jobNo)).toStrictEqual(job)
      expect(await store.jobs.byKey(DEFAULT_TENANT, 'nightly')).toStrictEqual(job)
      expect(await store.jobs.submission(job.jobNo)).toBe('{"baseDir":"/tmp"}')
      expect(await store.jobs.round(job.jobNo, 0)).toMatchObject({ round: 0, specHash: SPEC_HASH })
    })

    it('gives the same key the same job, and lets jobs without a key be many', async () => {
      const first = await store.jobs.create(newJob({ jobKey: 'nightly' }))
      const second = await store.jobs.create(newJob({ jobKey: 'nightly', specName: 'other' }))
      expect(second).toStrictEqual({ job: first.job, created: false })
      await store.jobs.create(newJob())
      await store.jobs.create(newJob())
      expect(await store.jobs.list(DEFAULT_TENANT, { limit: 10 })).toHaveLength(3)
    })

    it('lets exactly one of two processes create the job of a key', async () => {
      const another = await under().openAnother()
      const created = await Promise.all(
        [store, another, store, another].map((side) => side.jobs.create(newJob({ jobKey: 'race' }))),
      )
      expect(created.filter((one) => one.created)).toHaveLength(1)
      expect(new Set(created.map((one) => one.job.id)).size).toBe(1)
    })

    it('keeps tenants apart', async () => {
      await under().addTenant(2)
      const mine = await store.jobs.create(newJob({ jobKey: 'k' }))
      const theirs = await store.jobs.create(newJob({ jobKey: 'k', tenantNo: 2 }))
      expect(theirs.created).toBe(true)
      expect(await store.jobs.get(2, mine.job.id)).toBeNull()
      expect((await store.jobs.byKey(2, 'k'))?.id).toBe(theirs.job.id)
      expect((await store.jobs.list(2, { limit: 10 })).map((job) => job.id)).toStrictEqual([theirs.job.id])
      await store.specs.put(DEFAULT_TENANT, SPEC_HASH, 'triage', '{}', T)
      expect(await store.specs.get(2, SPEC_HASH)).toBeNull()
    })

    it('lists the newest first, page by page and by state', async () => {
      const jobs = [await jobIn(), await jobIn('queued'), await jobIn('queued', 'running'), await jobIn('queued')]
      const numbers = async (options: Parameters<Store['jobs']['list']>[1]) =>
        (await store.jobs.list(DEFAULT_TENANT, options)).map((job) => job.jobNo)
      expect(await numbers({ limit: 2 })).toStrictEqual([jobs[3], jobs[2]])
      expect(await numbers({ limit: 9, before: jobs[2]! })).toStrictEqual([jobs[1], jobs[0]])
      expect(await numbers({ limit: 9, states: ['queued'] })).toStrictEqual([jobs[3], jobs[1]])
    })

    it('keeps the first text of a spec version', async () => {
      await store.specs.put(DEFAULT_TENANT, SPEC_HASH, 'triage', '{"a":1}', T)
      await store.specs.put(DEFAULT_TENANT, SPEC_HASH, 'triage', '{"a":2}', T)
      expect(await store.specs.get(DEFAULT_TENANT, SPEC_HASH)).toBe('{"a":1}')
    })
  })

  describe('states', () => {
    it('changes only from the states that are named, as the domain allows, and never out of a terminal one', async () => {
      const states = fc.constantFrom(...JOB_STATES)
      const step = fc.record({ from: fc.uniqueArray(states, { minLength: 1 }), to: states })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const jobNo = await jobIn()
          let state: JobState = 'created'
          let changes = 0
          for (const { from, to } of steps) {
            const allowed = from.includes(state) && !isTerminal(state) && mayBecome(state, to)
            expect(await change(jobNo, from, to)).toBe(allowed)
            if (!allowed) continue
            state = to
            changes += 1
          }
          expect((await read(jobNo)).state).toBe(state)
          expect(await store.events.list(jobNo, 0, 100)).toHaveLength(changes)
        }),
        { numRuns: 40 },
      )
    })

    it('tells of each change with its reason', async () => {
      const jobNo = await jobIn('queued', 'running')
      const paused = { to: 'paused', reason: 'quota', detail: 'no credit', atMs: T + 5 } as const
      await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], paused))
      expect(await read(jobNo)).toMatchObject({ state: 'paused', reason: 'quota', detail: 'no credit' })
      const events = await store.events.list(jobNo, 2, 10)
      expect(events).toMatchObject([{ seq: 3, atMs: T + 5, type: 'job.state' }])
      expect(JSON.parse(events[0]!.data)).toStrictEqual({
        from: 'running',
        to: 'paused',
        reason: 'quota',
        detail: 'no credit',
      })
      await change(jobNo, ['paused'], 'queued')
      expect(await read(jobNo)).toMatchObject({ state: 'queued', reason: null, detail: null })
    })

    it('counts the time in which a job is queued, running or finalizing, and no other', async () => {
      const jobNo = await jobIn()
      await change(jobNo, ['created'], 'queued', T + 100)
      await change(jobNo, ['queued'], 'running', T + 200)
      expect(await read(jobNo)).toMatchObject({ activeMs: 0, activeSinceMs: T + 100, startedAtMs: T + 200 })
      await change(jobNo, ['running'], 'paused', T + 1_100)
      expect(await read(jobNo)).toMatchObject({ activeMs: 1_000, activeSinceMs: null, endedAtMs: null })
      await change(jobNo, ['paused'], 'queued', T + 9_000)
      await change(jobNo, ['queued'], 'finalizing', T + 9_500)
      await change(jobNo, ['finalizing'], 'completed', T + 10_000)
      expect(await read(jobNo)).toMatchObject({ activeMs: 2_000, activeSinceMs: null, endedAtMs: T + 10_000 })
      expect((await read(jobNo)).startedAtMs).toBe(T + 200)
    })

    it('opens a new round only on a job that is over, and only the next one', async () => {
      const specHash = '2'.repeat(64)
      const open = (jobNo: number, round: number) =>
        store.write((tx) => store.jobs.openRound(tx, jobNo, { round, specHash, selection: '{}', atMs: T + 50 }))
      const jobNo = await jobIn('queued', 'running')
      expect(await open(jobNo, 1)).toBe(false)
      await change(jobNo, ['running'], 'finalizing')
      await change(jobNo, ['finalizing'], 'completed')
      expect(await open(jobNo, 2)).toBe(false)
      expect(await open(jobNo, 1)).toBe(true)
      expect(await open(jobNo, 1)).toBe(false)
      expect(await read(jobNo)).toMatchObject({ state: 'queued', round: 1, specHash, endedAtMs: null })
      expect((await read(jobNo)).activeSinceMs).toBe(T + 50)
      expect((await store.jobs.round(jobNo, 0))?.specHash).toBe(SPEC_HASH)
      expect((await store.jobs.round(jobNo, 1))?.specHash).toBe(specHash)
      expect(await store.jobs.round(jobNo, 2)).toBeNull()
    })
  })

  describe('the route of a job', () => {
    const route: Route = {
      way: 'batch',
      chosen: 'batch',
      deadlineAtMs: T + 60_000,
      why: 'it is the cheapest',
      ways: [{ way: 'live', costNano: null, ms: null, basis: 'nothing', share: 1, expectedNano: null }],
      liveMsPerRow: 1.5,
      changes: [],
    }
    const late = rerouted(route, { atMs: T + 9, to: 'live', why: 'it is late' })

    it('is written down by one of several, and changed against the one that was read', async () => {
      const jobNo = await jobIn('queued')
      expect(await read(jobNo)).not.toHaveProperty('route')
      const another = await under().openAnother()
      const first = await Promise.all([store, another].map((side) => side.jobs.setRoute(jobNo, null, route, T)))
      expect(first.toSorted()).toStrictEqual([false, true])
      expect(await store.jobs.setRoute(jobNo, late, route, T)).toBe(false)
      expect(await store.jobs.setRoute(jobNo, route, late, T + 9)).toBe(true)
      expect((await read(jobNo)).route).toStrictEqual(late)
      expect((await store.jobs.controls([jobNo]))[0]?.route).toStrictEqual(late)
      const events = (await store.events.list(jobNo, 0, 9)).filter(({ type }) => type === 'job.route')
      expect(events.map(({ atMs, data }) => [atMs, JSON.parse(data)])).toStrictEqual([
        [T, { way: 'batch', why: 'it is the cheapest' }],
        [T + 9, { way: 'live', why: 'it is late' }],
      ])
    })

    it('is listed while its job is at work, and ends with the round', async () => {
      const [routed, plain, over] = [await jobIn('queued'), await jobIn('queued'), await jobIn('queued', 'running')]
      for (const jobNo of [routed, over]) await store.jobs.setRoute(jobNo, null, route, T)
      await change(over, ['running'], 'finalizing')
      await change(over, ['finalizing'], 'completed')
      expect((await store.jobs.routed(9)).map(({ jobNo }) => jobNo)).toStrictEqual([routed])
      expect(await store.jobs.setRoute(over, route, late, T)).toBe(false)
      expect((await read(plain)).route).toBeUndefined()
      expect((await read(over)).route).toStrictEqual(route)
      const round = { round: 1, specHash: SPEC_HASH, selection: '{}', atMs: T + 50 }
      expect(await store.write((tx) => store.jobs.openRound(tx, over, round))).toBe(true)
      expect(await read(over)).not.toHaveProperty('route')
    })
  })

  describe('wishes and settings', () => {
    it('never replaces a cancel by a pause, and withdraws either', async () => {
      const jobNo = await jobIn('queued', 'running')
      await store.jobs.want(jobNo, 'pause', 'user', 'tea')
      expect((await store.jobs.controls([jobNo]))[0]).toMatchObject({ wanted: 'pause', wantedReason: 'user' })
      await store.jobs.want(jobNo, 'cancel')
      await store.jobs.want(jobNo, 'pause', 'user')
      expect((await store.jobs.controls([jobNo]))[0]).toMatchObject({ wanted: 'cancel', wantedReason: null })
      await store.jobs.want(jobNo, null)
      expect(await read(jobNo)).toMatchObject({ wanted: null, wantedReason: null, wantedDetail: null })
    })

    it('ends a pause wish when the job pauses, and a cancel wish only when it is over', async () => {
      const jobNo = await jobIn('queued', 'running')
      await store.jobs.want(jobNo, 'pause', 'user')
      await change(jobNo, ['running'], 'paused')
      expect((await read(jobNo)).wanted).toBeNull()
      await store.jobs.want(jobNo, 'cancel')
      await change(jobNo, ['paused'], 'queued')
      await change(jobNo, ['queued'], 'running')
      await change(jobNo, ['running'], 'paused')
      expect((await read(jobNo)).wanted).toBe('cancel')
      await change(jobNo, ['paused'], 'cancelled')
      expect((await read(jobNo)).wanted).toBeNull()
      await store.jobs.want(jobNo, 'pause', 'user')
      expect((await read(jobNo)).wanted).toBeNull()
    })

    it('changes the settings that are given, and notes it', async () => {
      const jobNo = await jobIn('queued')
      await store.jobs.set(jobNo, { concurrency: 8 }, T)
      await store.jobs.set(jobNo, { priority: 'high' }, T)
      await store.jobs.set(jobNo, {}, T)
      expect((await store.jobs.controls([jobNo]))[0]?.settings).toStrictEqual({
        ...AS_SPECIFIED,
        concurrency: 8,
        priority: 'high',
      })
      await store.jobs.set(jobNo, { concurrency: null }, T)
      expect((await read(jobNo)).settings).toStrictEqual({ ...AS_SPECIFIED, priority: 'high' })
      const types = (await store.events.list(jobNo, 1, 10)).map((event) => event.type)
      expect(types).toStrictEqual(['job.settings', 'job.settings', 'job.settings'])
    })

    it('reads the controls of many jobs, and of none', async () => {
      const jobs = [await jobIn('queued'), await jobIn()]
      expect(await store.jobs.controls([])).toStrictEqual([])
      expect((await store.jobs.controls(jobs)).map((control) => control.state).sort()).toStrictEqual([
        'created',
        'queued',
      ])
    })
  })

  describe('events', () => {
    it('numbers them without gaps under their job, whoever writes', async () => {
      const another = await under().openAnother()
      const [one, two] = [await jobIn(), await jobIn()]
      const append = (side: Store, jobNo: number, n: number) =>
        side.write((tx) => side.events.append(tx, jobNo, 'note', { n }, T))
      await Promise.all(
        Array.from({ length: 40 }, (_, n) => append(n % 2 === 0 ? store : another, n % 4 < 2 ? one : two, n)),
      )
      const seqs = (await store.events.list(one, 0, 100)).map((event) => event.seq)
      expect(seqs).toStrictEqual(Array.from({ length: 20 }, (_, n) => n + 1))
      expect((await store.events.list(two, 18, 100)).map((event) => event.seq)).toStrictEqual([19, 20])
    })

    it('lets only one of many say what was not told before', async () => {
      const jobNo = await jobIn()
      const sides = [store, await under().openAnother(), await under().openAnother()]
      const tellOnce = (side: Store) =>
        side.write(async (tx) => {
          if ((await side.events.told(tx, jobNo, 'job.budget')).length > 0) return false
          await side.events.append(tx, jobNo, 'note', {}, T)
          await side.events.append(tx, jobNo, 'job.budget', { mark: 80 }, T)
          return true
        })
      const said = await Promise.all([...sides, ...sides].map(tellOnce))
      expect(said.filter((each) => each)).toHaveLength(1)
      const told = await store.write((tx) => store.events.told(tx, jobNo, 'job.budget'))
      expect(told).toStrictEqual([{ seq: 2, atMs: T, type: 'job.budget', data: '{"mark":80}' }])
    })
  })
}
