import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openPresence } from '../../src/queue/presence.ts'
import { start } from '../store/processes.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-presence-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

const present = (id: string) => start(new URL('present.main.ts', import.meta.url), dir, id)

it('knows the living from the dead, and from those that never were', async () => {
  const presence = await openPresence({ dir })
  const other = present('worker/ä 1')
  await other.line('here')
  expect(await presence.isGone('worker/ä 1')).toBe(false)
  expect(await presence.isGone('nobody')).toBe(true)
  other.child.kill('SIGSTOP')
  expect(await presence.isGone('worker/ä 1')).toBe(false)
  other.child.kill('SIGKILL')
  await other.ended
  expect(await presence.isGone('worker/ä 1')).toBe(true)
})

it('knows a worker of its own process, until it leaves', async () => {
  const [one, two] = [await openPresence({ dir }), await openPresence({ dir })]
  const lease = await one.register('mine')
  expect([await one.isGone('mine'), await two.isGone('mine')]).toStrictEqual([false, false])
  await lease.release()
  await lease.release()
  expect([await one.isGone('mine'), await two.isGone('mine')]).toStrictEqual([true, true])
  expect(await readdir(dir)).toStrictEqual([])
})

it('holds on to a registration that nobody keeps', async () => {
  const presence = await openPresence({ dir })
  const other = present('kept')
  await other.line('here')
  other.say('collect garbage')
  await other.line('collected')
  expect(await presence.isGone('kept')).toBe(false)
  other.child.kill('SIGKILL')
  await other.ended
})

it('removes what the dead left, and nothing else', async () => {
  const presence = await openPresence({ dir })
  const [dead, alive] = [present('dead'), present('alive')]
  await Promise.all([dead.line('here'), alive.line('here')])
  expect(await presence.sweep()).toBe(0)
  dead.child.kill('SIGKILL')
  await dead.ended
  expect(await presence.sweep()).toBe(1)
  expect(await presence.isGone('dead')).toBe(true)
  expect(await presence.isGone('alive')).toBe(false)
  alive.child.kill('SIGKILL')
  await alive.ended
  await presence.register('next')
  expect(await readdir(dir)).toStrictEqual(['next.lock'])
})

it('registers many at once while others sweep', async () => {
  const presence = await openPresence({ dir })
  const ids = Array.from({ length: 30 }, (_, n) => `worker ${n}`)
  const others = Array.from({ length: 3 }, (_, n) => present(`other ${n}`))
  const leases = await Promise.all(ids.map((id) => presence.register(id)))
  await Promise.all(others.map((told) => told.line('here')))
  expect(await presence.sweep()).toBe(0)
  for (const id of [...ids, 'other 0', 'other 1', 'other 2']) expect(await presence.isGone(id)).toBe(false)
  for (const lease of leases) await lease.release()
  for (const told of others) {
    told.child.kill('SIGKILL')
    await told.ended
  }
})
