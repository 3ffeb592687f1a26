import { describe, expect, it } from 'vitest'
import type { Chunk } from '../../src/domain/chunk.ts'
import type { Job } from '../../src/domain/job.ts'
import { createJobFeeds } from '../../src/engine/job-feed.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

/** A job of which chunks are done as the test says, and how often the store was asked. */
function followedJob() {
  const asked = { jobs: 0, chunks: 0, events: 0 }
  const state = { job: { jobNo: 7, state: 'running', round: 0, input: {} } as unknown as Job, done: 0 }
  const runtime = manualRuntime()
  const feeds = createJobFeeds({
    runtime,
    store: {
      jobs: {
        async getByNo() {
          asked.jobs += 1
          return state.job
        },
      },
      chunks: {
        async listDone(_job: number, after: number, limit: number) {
          asked.chunks += 1
          const length = Math.max(0, Math.min(limit, state.done - after))
          return Array.from({ length }, (_, n) => ({ doneNo: after + n + 1 }) as Chunk)
        },
      },
      events: {
        async list() {
          asked.events += 1
          return []
        },
      },
    },
  })
  /** Lets time pass in small steps, so that whatever waits for the store gets its answer meanwhile. */
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 100) {
      await runtime.pass(100)
      await new Promise(setImmediate)
    }
  }
  return { asked, state, pass, feeds }
}

const never = new AbortController().signal

describe('feed of a job', () => {
  it('asks the store once a second for all who wait, and tells each what is behind his place', async () => {
    const { asked, state, pass, feeds } = followedJob()
    const waiting = Array.from({ length: 500 }, () => feeds.next(state.job, { doneNo: 0, seq: null }, never))
    await pass(10_500)
    expect(asked.jobs).toBeGreaterThanOrEqual(10)
    expect(asked.jobs).toBeLessThanOrEqual(11)
    expect(asked).toMatchObject({ chunks: asked.jobs, events: 0 })
    state.done = 3
    await pass(1_000)
    for (const feed of await Promise.all(waiting))
      expect(feed.chunks.map(({ doneNo }) => doneNo)).toStrictEqual([1, 2, 3])
    // Whoever is behind gets it at once, from the same.
    expect((await feeds.next(state.job, { doneNo: 2, seq: null }, never)).chunks).toHaveLength(3)
    const before = asked.jobs
    await pass(10_000)
    expect(asked.jobs).toBe(before)
  })

  it('tells of a change of state, keeps no more than it should, and lets go of who leaves', async () => {
    const { asked, state, pass, feeds } = followedJob()
    const leaving = new AbortController()
    const gone = feeds.next(state.job, { doneNo: 0, seq: 0 }, leaving.signal)
    const first = feeds.next(state.job, { doneNo: 0, seq: null }, never)
    leaving.abort(new Error('left'))
    await expect(gone).rejects.toThrow('left')
    state.done = 2_000
    await pass(2_000)
    const feed = await first
    expect([feed.chunks.length, feed.chunksAfter]).toStrictEqual([500, 1_500])
    const ending = feeds.next(state.job, { doneNo: 2_000, seq: null }, never)
    await pass(1_500)
    state.job = { ...state.job, state: 'completed' }
    await pass(1_500)
    expect((await ending).job.state).toBe('completed')
    expect(asked.events).toBeGreaterThan(0)
  })

  it('rejects for all who wait where the store does not answer, and begins anew for the next', async () => {
    const { state, pass, feeds } = followedJob()
    const { job } = state
    const waiting = [1, 2].map(() => feeds.next(job, { doneNo: 0, seq: null }, never))
    const failed = Promise.allSettled(waiting)
    await pass(10)
    Object.defineProperty(state, 'job', {
      configurable: true,
      get: () => {
        throw new Error('away')
      },
    })
    await pass(1_000)
    expect((await failed).map(({ status }) => status)).toStrictEqual(['rejected', 'rejected'])
    Object.defineProperty(state, 'job', { value: job })
    state.done = 1
    const next = feeds.next(job, { doneNo: 0, seq: null }, never)
    await pass(1_000)
    expect((await next).chunks).toHaveLength(1)
  })
})
