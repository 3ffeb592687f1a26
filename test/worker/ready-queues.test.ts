import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Priority } from '../../src/domain/job.ts'
import type { HeldChunk, RowTask } from '../../src/worker/held-chunk.ts'
import { createReadyQueues } from '../../src/worker/ready-queues.ts'

const anyRow = () => true
const NOBODY: ReadonlySet<number> = new Set()

function chunkOf(jobNo: number, priority: Priority = 'normal', tenantNo = 1): HeldChunk {
  const run = { job: { tenantNo }, spec: { priority }, settings: { priority: null } }
  return { claim: { jobNo, chunkNo: 0, epoch: 1 }, run } as unknown as HeldChunk
}

function rowOf(held: HeldChunk, index: number, tokens = 100): RowTask {
  const next = { worstInputTokens: tokens, worstOutputTokens: 0, fallbackIndex: -1 }
  return { held, next, row: { index, id: String(index), values: [] } } as unknown as RowTask
}

function ofTenant(tenantNo: number, weight: number, priority: Priority = 'normal', jobNo = tenantNo): HeldChunk {
  const run = { job: { tenantNo }, spec: { priority }, settings: { priority: null }, caps: { weight } }
  return { claim: { jobNo, chunkNo: 0, epoch: 1 }, run } as unknown as HeldChunk
}

/** Takes all that may run, as `job/row`. */
function drain(queues: ReturnType<typeof createReadyQueues>, mayRun: (task: RowTask) => boolean = anyRow): string[] {
  const taken: string[] = []
  for (let task = queues.peek('a', mayRun, NOBODY); task !== null; task = queues.peek('a', mayRun, NOBODY)) {
    queues.take('a', task)
    taken.push(`${task.held.claim.jobNo}/${task.row.index}`)
  }
  return taken
}

describe('rows that wait for a slot', () => {
  it('are served job by job in turn, and in order within a job', () => {
    const queues = createReadyQueues()
    const [one, two] = [chunkOf(1), chunkOf(2)]
    for (const index of [0, 1, 2, 3]) queues.push('a', rowOf(one, index))
    for (const index of [0, 1]) queues.push('a', rowOf(two, index))
    expect(drain(queues)).toEqual(['1/0', '2/0', '1/1', '2/1', '1/2', '1/3'])
  })

  it('are served four, two and one at a time by priority, and none starves', () => {
    const queues = createReadyQueues()
    const chunks = [chunkOf(1, 'low'), chunkOf(2, 'high'), chunkOf(3, 'normal')]
    for (const held of chunks) for (let index = 0; index < 100; index++) queues.push('a', rowOf(held, index))
    const served = drain(queues)
    const ofJob = (no: number, upTo: number) => served.slice(0, upTo).filter((row) => row.startsWith(`${no}/`)).length
    expect([ofJob(2, 70), ofJob(3, 70), ofJob(1, 70)]).toEqual([40, 20, 10])
    expect(ofJob(1, 14)).toBe(2)
  })

  it('are shared among tenants before they are shared among jobs', () => {
    const queues = createReadyQueues()
    const chunks = [chunkOf(1, 'normal', 1), chunkOf(2, 'normal', 1), chunkOf(3, 'normal', 1), chunkOf(4, 'normal', 2)]
    for (const held of chunks) for (let index = 0; index < 60; index++) queues.push('a', rowOf(held, index))
    expect(
      drain(queues)
        .slice(0, 60)
        .filter((row) => row.startsWith('4/')),
    ).toHaveLength(30)
  })

  it('of a job that comes later get its share from then on, and nothing for the time before', () => {
    const queues = createReadyQueues()
    const [old, late] = [chunkOf(1), chunkOf(2)]
    for (let index = 0; index < 200; index++) queues.push('a', rowOf(old, index))
    for (let count = 0; count < 100; count++) queues.take('a', queues.peek('a', anyRow, NOBODY) as RowTask)
    for (let index = 0; index < 50; index++) queues.push('a', rowOf(late, index))
    const served = drain(queues).slice(0, 40)
    expect(served.filter((row) => row.startsWith('2/'))).toHaveLength(20)
  })

  it('that come one at a time do not jump the line by it', () => {
    const queues = createReadyQueues()
    const [busy, sparse] = [chunkOf(1, 'high'), chunkOf(2, 'low')]
    for (let index = 0; index < 200; index++) queues.push('a', rowOf(busy, index))
    let ofSparse = 0
    queues.push('a', rowOf(sparse, 0))
    for (let count = 0; count < 100; count++) {
      const task = queues.peek('a', anyRow, NOBODY) as RowTask
      queues.take('a', task)
      if (task.held !== sparse) continue
      ofSparse += 1
      queues.push('a', rowOf(sparse, ofSparse))
    }
    expect(ofSparse).toBe(20)
  })

  it('of one account do not hold up those of another', () => {
    const queues = createReadyQueues()
    queues.push('b', rowOf(chunkOf(1), 0))
    expect(queues.peek('a', anyRow, NOBODY)).toBeNull()
    expect(queues.peek('b', anyRow, NOBODY)?.row.index).toBe(0)
  })

  it('of a job that is held up let those of the next one pass, and keep their place', () => {
    const queues = createReadyQueues()
    for (const job of [1, 2]) for (const index of [0, 1]) queues.push('a', rowOf(chunkOf(job), index))
    const passing = queues.peek('a', anyRow, new Set([1])) as RowTask
    expect(passing.held.claim.jobNo).toBe(2)
    queues.take('a', passing)
    expect(queues.peek('a', anyRow, new Set([1, 2]))).toBeNull()
    expect(drain(queues)).toEqual(['1/0', '2/1', '1/1'])
  })

  it('go when their chunk is dropped, and only they', () => {
    const queues = createReadyQueues()
    const [kept, dropped] = [chunkOf(1), chunkOf(1)]
    for (const index of [0, 1, 2]) queues.push('a', rowOf(index === 1 ? dropped : kept, index))
    queues.drop(dropped)
    expect(drain(queues)).toEqual(['1/0', '1/2'])
  })

  it('are each given out once, whatever comes in meanwhile', () => {
    const pushes = fc.array(
      fc.record({ job: fc.integer({ min: 1, max: 3 }), rows: fc.integer({ min: 1, max: 1500 }) }),
      {
        maxLength: 6,
      },
    )
    fc.assert(
      fc.property(pushes, fc.integer({ min: 0, max: 2000 }), (list, early) => {
        const queues = createReadyQueues()
        const chunks = new Map([1, 2, 3].map((job) => [job, chunkOf(job)]))
        const expected: string[] = []
        const taken: string[] = []
        for (const [n, { job, rows }] of list.entries()) {
          for (let row = 0; row < rows; row++) {
            queues.push('a', rowOf(chunks.get(job) as HeldChunk, n * 10_000 + row))
            expected.push(`${job}/${n * 10_000 + row}`)
          }
          for (let count = 0; count < early; count++) {
            const task = queues.peek('a', anyRow, NOBODY)
            if (task === null) break
            queues.take('a', task)
            taken.push(`${task.held.claim.jobNo}/${task.row.index}`)
          }
        }
        taken.push(...drain(queues))
        expect(taken.toSorted()).toEqual(expected.toSorted())
      }),
      { numRuns: 40 },
    )
  })

  it('that may not run any more are passed over for good', () => {
    const queues = createReadyQueues()
    const [stopped, going] = [chunkOf(1), chunkOf(2)]
    for (const index of [0, 1]) queues.push('a', rowOf(stopped, index))
    queues.push('a', rowOf(going, 0))
    expect(drain(queues, (task) => task.held !== stopped)).toEqual(['2/0'])
    expect(drain(queues)).toEqual([])
  })
})

/** Serves so many requests, each of the tokens that its row says; returns what each tenant had. */
function serve(queues: ReturnType<typeof createReadyQueues>, requests: number): ReadonlyMap<number, number> {
  const had = new Map<number, number>()
  for (let count = 0; count < requests; count++) {
    const task = queues.peek('a', anyRow, NOBODY)
    if (task === null) break
    const { tenantNo } = task.held.run.job
    const inputTokens = task.next.worstInputTokens
    queues.take('a', task).end({ inputTokens, outputTokens: 0 })
    had.set(tenantNo, (had.get(tenantNo) ?? 0) + inputTokens)
  }
  return had
}

describe('tenants that fight for the same account', () => {
  const tenants = fc.array(
    fc.record({ weight: fc.integer({ min: 1, max: 10 }), tokens: fc.integer({ min: 1, max: 5_000 }) }),
    { minLength: 2, maxLength: 8 },
  )

  it('get tokens by their weights, to within one request of each', () => {
    fc.assert(
      fc.property(tenants, fc.integer({ min: 1, max: 400 }), (list, requests) => {
        const queues = createReadyQueues()
        for (const [n, { weight, tokens }] of list.entries()) {
          const held = ofTenant(n, weight)
          for (let index = 0; index < requests; index++) queues.push('a', rowOf(held, index, tokens))
        }
        const had = serve(queues, requests)
        const perWeight = list.map(({ weight }, n) => (had.get(n) ?? 0) / weight)
        const largest = Math.max(...list.map(({ weight, tokens }) => tokens / weight))
        expect(Math.max(...perWeight) - Math.min(...perWeight)).toBeLessThanOrEqual(largest + 1e-6)
      }),
    )
  })

  it('are owed nothing for the time before they came, nor for the time in which they were held up', () => {
    const queues = createReadyQueues()
    const [old, heldUp, late] = [ofTenant(1, 1), ofTenant(2, 1), ofTenant(3, 1)]
    for (let index = 0; index < 500; index++) for (const held of [old, heldUp]) queues.push('a', rowOf(held, index))
    for (let count = 0; count < 100; count++) {
      const task = queues.peek('a', anyRow, new Set([2])) as RowTask
      queues.take('a', task).end({ inputTokens: 100, outputTokens: 0 })
    }
    for (let index = 0; index < 500; index++) queues.push('a', rowOf(late, index))
    const had = serve(queues, 90)
    for (const tenantNo of [1, 2, 3]) expect(Math.abs((had.get(tenantNo) ?? 0) - 3_000)).toBeLessThanOrEqual(100)
  })

  it('get no more where their jobs are urgent', () => {
    const queues = createReadyQueues()
    const chunks = [ofTenant(1, 1, 'high', 1), ofTenant(1, 1, 'high', 2), ofTenant(2, 1, 'low', 3)]
    for (let index = 0; index < 100; index++) for (const held of chunks) queues.push('a', rowOf(held, index))
    const had = serve(queues, 100)
    expect([had.get(1), had.get(2)]).toEqual([5_000, 5_000])
  })

  it('are charged for what requests took, not for what they were thought to take', () => {
    const queues = createReadyQueues()
    const [modest, greedy] = [ofTenant(1, 1), ofTenant(2, 1)]
    const had = new Map([
      [1, 0],
      [2, 0],
    ])
    for (let index = 0; index < 400; index++) for (const held of [modest, greedy]) queues.push('a', rowOf(held, index))
    for (let count = 0; count < 200; count++) {
      const task = queues.peek('a', anyRow, NOBODY) as RowTask
      const tenantNo = task.held.run.job.tenantNo
      const inputTokens = tenantNo === 1 ? 20 : 60
      queues.take('a', task).end({ inputTokens, outputTokens: 0 })
      had.set(tenantNo, (had.get(tenantNo) as number) + inputTokens)
    }
    expect(Math.abs((had.get(1) as number) - (had.get(2) as number))).toBeLessThanOrEqual(60)
  })
})
