import { describe, expect, it } from 'vitest'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import { describeShare } from '../conformance/share.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

describeShare('a share that one process has for itself', async () => {
  const runtime = manualRuntime()
  const share = createOwnShare(runtime)
  return { share, pass: runtime.pass, close: async () => share.close() }
})

describe('a share that one process has for itself', () => {
  const demand = { requests: 1, inputTokens: 10, outputTokens: 10 }

  it('ends a wait the moment that there is room, and asks nobody before', async () => {
    const runtime = manualRuntime()
    const share = createOwnShare(runtime)
    share.limit('a', { ...NO_LIMITS, rpm: 60 })
    const heard: number[] = []
    share.onRoom(() => heard.push(runtime.elapsed()))
    expect(share.take('a', demand)).not.toBeNull()
    expect(share.take('a', demand)).toBeNull()
    await runtime.pass(10_000)
    expect(heard).toEqual([1_000])
    expect(share.take('a', demand)).not.toBeNull()
  })

  it('waits out a limit per day, and forgets the wait when it is asked to', async () => {
    const runtime = manualRuntime()
    const share = createOwnShare(runtime)
    share.limit('a', { ...NO_LIMITS, rpd: 2 })
    expect([share.take('a', demand), share.take('a', demand)]).not.toContain(null)
    expect(share.take('a', demand)).toBeNull()
    expect(share.state('a').untilMs).toBe(runtime.now() + 43_200_000)
    share.forgive('a')
    expect(share.take('a', demand)).not.toBeNull()
    share.close()
  })
})
