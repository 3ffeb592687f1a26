import { describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { createAtOnce } from '../../src/engine/at-once.ts'
import { eventStream } from '../../src/engine/event-stream.ts'
import { createJobFeeds } from '../../src/engine/job-feed.ts'
import type { FollowDeps } from '../../src/engine/row-stream.ts'
import type { StoredEvent } from '../../src/store/role/events.ts'

describe('stream of events', () => {
  it('tells the end also where the feed, which others had opened, saw it before events were asked for', async () => {
    const job = { jobNo: 1, id: 'job_x', state: 'running', round: 0, input: {} }
    const events: StoredEvent[] = [stateEvent(1, 'running')]
    const following = followDeps(job, events)
    const { signal } = new AbortController()
    // Whoever follows rows alone asks for no events.
    const rows = following.feeds.next({ ...job } as Job, { doneNo: 0, seq: null }, signal)
    const stream = await eventStream(following, { ...job } as Job, { after: null, signal })
    const told = stream?.[Symbol.asyncIterator]() as AsyncIterator<readonly { readonly data: string }[]>
    const first = await told.next()
    events.push(stateEvent(2, 'completed'))
    job.state = 'completed'
    await rows
    const states = [first.value, ...(await rest(told))].flat().map(({ data }) => JSON.parse(data).to)
    expect(states).toEqual(['running', 'completed'])
  })
})

function stateEvent(seq: number, to: string): StoredEvent {
  return { seq, type: 'job.state', atMs: 0, data: JSON.stringify({ to }) } as StoredEvent
}

/** A store of one job without chunks. */
function followDeps(job: object, events: readonly StoredEvent[]): FollowDeps {
  const store = {
    jobs: { getByNo: async () => ({ ...job }) },
    chunks: { listDone: async () => [] },
    events: {
      list: async (_: number, after: number, limit: number) => events.filter(({ seq }) => seq > after).slice(0, limit),
    },
  }
  const runtime = { sleep: () => new Promise((resolve) => setImmediate(resolve)) }
  const deps = { store, runtime } as unknown as FollowDeps['deps']
  return { deps, feeds: createJobFeeds(deps), reading: createAtOnce(2) }
}

async function rest<T>(iterator: AsyncIterator<T>): Promise<T[]> {
  const all: T[] = []
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) all.push(next.value)
  return all
}
