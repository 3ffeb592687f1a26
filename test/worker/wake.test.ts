import { expect, it } from 'vitest'
import { createWake } from '../../src/worker/wake.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

/** Whether a promise has settled once all that is due was done. */
async function isOver(promise: Promise<void>): Promise<boolean> {
  let over = false
  void promise.then(() => {
    over = true
  })
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  return over
}

it('a wait ends with its time, or with a call before it', async () => {
  const runtime = manualRuntime()
  const wake = createWake(runtime)
  const timed = wake.wait(250)
  await runtime.pass(249)
  expect(await isOver(timed)).toBe(false)
  await runtime.pass(1)
  expect(await isOver(timed)).toBe(true)
  const called = wake.wait(250)
  wake.call()
  expect(await isOver(called)).toBe(true)
})

it('a call while nobody waits is kept for the next wait, and for that one only', async () => {
  const wake = createWake(manualRuntime())
  wake.call()
  wake.call()
  expect(await isOver(wake.wait(250))).toBe(true)
  expect(await isOver(wake.wait(250))).toBe(false)
})
