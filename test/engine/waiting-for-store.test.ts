import { describe, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { waitingForStore } from '../../src/engine/waiting-for-store.ts'
import { createEvents } from '../../src/events.ts'
import { hastyRuntime } from '../worker/hasty-runtime.ts'

/** A process that waits for its store, and what it says meanwhile. */
function waiting(storagePatienceMs: number) {
  const said: string[] = []
  const events = createEvents((_name, error) => {
    throw error
  })
  events.on('storage.failing', () => void said.push('failing'))
  events.on('storage.back', () => void said.push('back'))
  return { said, deps: { runtime: hastyRuntime(), events, storagePatienceMs } }
}

const failure = new StorageFailure('io', 'the database is starting up')

describe('a store that is away', () => {
  it('is asked until it answers, and is told of once', async () => {
    const { said, deps } = waiting(Number.POSITIVE_INFINITY)
    let asked = 0
    const answer = await waitingForStore(deps, new AbortController().signal, async () => {
      asked += 1
      if (asked < 3) throw failure
      return 'here'
    })
    expect([answer, asked, said]).toEqual(['here', 3, ['failing', 'back']])
  })

  it('is given up when patience is over, when it was closed, and when nobody wants to wait any more', async () => {
    const patient = waiting(Number.POSITIVE_INFINITY).deps
    const over = new AbortController()
    const left = waitingForStore(patient, over.signal, async () => Promise.reject(failure))
    over.abort()
    await expect(left).rejects.toBe(failure)
    const { signal } = new AbortController()
    await expect(waitingForStore(waiting(0).deps, signal, async () => Promise.reject(failure))).rejects.toBe(failure)
    const closed = new StorageFailure('closed', 'closed')
    await expect(waitingForStore(patient, signal, async () => Promise.reject(closed))).rejects.toBe(closed)
  })

  it('does not hide a defect', async () => {
    const { said, deps } = waiting(Number.POSITIVE_INFINITY)
    const defect = new TypeError('a defect')
    await expect(waitingForStore(deps, new AbortController().signal, () => Promise.reject(defect))).rejects.toBe(defect)
    expect(said).toEqual([])
  })
})
