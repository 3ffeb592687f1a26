import { expect, it } from 'vitest'
import { startMeter } from '../../src/engine/meter.ts'
import { createEvents } from '../../src/events.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const limit = { kind: 'requests', limit: 600, windowMs: 60_000 } as const

function setUp() {
  const runtime = manualRuntime()
  const events = createEvents((_name, error) => {
    throw error
  })
  return { runtime, events, meter: startMeter(events, runtime, 1, new Set(['openai/gpt'])) }
}

it('says which limit holds, for as long as it does and a moment more', async () => {
  const { runtime, events, meter } = setUp()
  expect(meter.note()).toBeNull()
  events.emit('limit.bound', { account: 'openai/gpt', limit, untilMs: runtime.now() + 5_000 })
  expect(meter.note()).toBe("at the provider's limit of 600 requests a minute")
  await runtime.pass(6_000)
  expect(meter.note()).not.toBeNull()
  await runtime.pass(2_000)
  expect(meter.note()).toBeNull()
})

it('says first that the provider asked to wait, and nothing of accounts of others', () => {
  const { runtime, events, meter } = setUp()
  events.emit('limit.bound', { account: 'anthropic/claude', limit, untilMs: runtime.now() + 5_000 })
  expect(meter.note()).toBeNull()
  events.emit('limit.bound', { account: 'openai/gpt', limit, untilMs: runtime.now() + 5_000 })
  events.emit('limit.wait', { account: 'openai/gpt', untilMs: runtime.now() + 3_000, cause: 'rate_limited' })
  expect(meter.note()).toBe('rate_limited, next request in 3 s')
})
