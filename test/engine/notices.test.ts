import { expect, it } from 'vitest'
import type { Notice } from '../../src/domain/notice.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import type { WorkDeps } from '../../src/engine/enter-fleet.ts'
import { noticeDuty, replayNotice, sendBriefly } from '../../src/engine/notices.ts'
import type { Delivery } from '../../src/notify/delivery.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

/** The parts that sending needs, over a delivery that a test has in its hands. */
function sending(deliverDue: Delivery['deliverDue']) {
  const runtime = manualRuntime()
  const failures: string[] = []
  const events = { emit: (_name: string, { message }: { message: string }) => void failures.push(message) }
  return { runtime, failures, parts: { deps: { runtime, events }, delivery: { deliverDue } } as unknown as WorkDeps }
}

/** Waits for its signal, and then as long as `last` for the last write. */
const hanging = (last: Promise<void>, heard: string[]): Delivery['deliverDue'] => {
  return (signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        heard.push('stopped')
        void last.then(() => resolve(1))
      })
    })
}
const isOver = async (work: Promise<unknown>) => {
  let over = false
  void work.finally(() => {
    over = true
  })
  for (let n = 0; n < 10; n += 1) await Promise.resolve()
  return over
}

it('a process that ends breaks sending off after five seconds, and waits for the last write', async () => {
  const heard: string[] = []
  const written = Promise.withResolvers<void>()
  const { runtime, parts } = sending(hanging(written.promise, heard))
  const brief = sendBriefly(parts)
  await runtime.pass(4_999)
  expect(heard).toEqual([])
  await runtime.pass(1)
  expect(heard).toEqual(['stopped'])
  expect(await isOver(brief)).toBe(false)
  written.resolve()
  await brief
})

it('nor does a store that takes no last write keep it, or somebody who is in a hurry', async () => {
  const never = new Promise<void>(() => undefined)
  const slow = sending(hanging(never, []))
  const brief = sendBriefly(slow.parts)
  await slow.runtime.pass(6_000)
  await brief
  const heard: string[] = []
  const abandon = new AbortController()
  const hurried = sendBriefly(sending(hanging(never, heard)).parts, abandon.signal)
  abandon.abort()
  await hurried
  expect(heard).toEqual(['stopped'])
  await sendBriefly(sending(hanging(never, heard)).parts, abandon.signal)
  expect(heard).toEqual(['stopped'])
})

it('what goes wrong is told, and thrown at nobody', async () => {
  const broken = sending(() => Promise.reject(new TypeError('a defect')))
  await sendBriefly(broken.parts)
  expect(broken.failures).toEqual(['a defect'])
  const away = sending(() => Promise.reject(new StorageFailure('closed', 'the database is away')))
  await sendBriefly(away.parts)
  expect(away.failures).toEqual([])
})

it('the one who sends for the fleet stops when it is no longer his turn', async () => {
  const heard: string[] = []
  const { runtime, parts } = sending(hanging(Promise.resolve(), heard))
  let holds = true
  const work = noticeDuty(parts).work(() => holds)
  await runtime.pass(1_000)
  expect(heard).toEqual([])
  holds = false
  while (!(await isOver(work))) await runtime.pass(250)
  expect(heard).toEqual(['stopped'])
})

it('a notice that is sent anew is the only one that is sent; one that is none of the tenant is refused', async () => {
  const asked: unknown[] = []
  const deliverAgain: Delivery['deliverAgain'] = async (tenantNo, id) => {
    asked.push([tenantNo, id])
    return id === 'msg_1' ? ({ id } as Notice) : null
  }
  const deliverDue = () => Promise.reject(new Error('nobody asked for the backlog'))
  const parts = { deps: { tenantNo: 7 }, delivery: { deliverAgain, deliverDue } } as unknown as WorkDeps
  const { signal } = new AbortController()
  expect(await replayNotice(parts, 'msg_1', signal)).toMatchObject({ id: 'msg_1' })
  await expect(replayNotice(parts, 'msg_2', signal)).rejects.toMatchObject({ code: 'notice_not_found' })
  expect(asked).toEqual([
    [7, 'msg_1'],
    [7, 'msg_2'],
  ])
})
