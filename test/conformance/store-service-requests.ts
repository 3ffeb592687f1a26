import { describe, expect, it } from 'vitest'
import type { NewRequest } from '../../src/store/role/requests.ts'
import type { Store } from '../../src/store/store.ts'
import { nextId, type StoreUnderTest, T } from './store-fixture.ts'

const ANSWER = { status: 201, headers: '{"location":"/api/v1/jobs/1"}', body: '{"id":"job_1"}' }

/** A request that was sent at `atMs`; whoever took its key more than a minute before is dead. */
export function aRequest(key: string, more: Partial<NewRequest> & { readonly atMs?: number } = {}): NewRequest {
  const { atMs = T, ...given } = more
  const times = { nowMs: atMs, staleBeforeMs: atMs - 60_000 }
  return { tenantNo: 1, key, fingerprint: 'f'.repeat(64), subject: `job_${nextId()}`, ...times, ...given }
}

/** Requests that are done once, however often they are sent: what every store must do. */
export function requestsConformance(under: () => StoreUnderTest): void {
  const requests = () => under().store.requests
  const first = async (key: string) => {
    const request = aRequest(key)
    expect(await requests().take(request)).toEqual({ kind: 'mine', subject: request.subject })
    return request
  }

  describe('a key', () => {
    it('is taken by the first, and busy until that one has answered', async () => {
      await first('a')
      expect(await requests().take(aRequest('a'))).toEqual({ kind: 'busy' })
      await requests().answer(1, 'a', ANSWER, T + 1)
      expect(await requests().take(aRequest('a'))).toEqual({ kind: 'answered', answer: ANSWER })
      expect(await requests().take(aRequest('b'))).toMatchObject({ kind: 'mine' })
    })

    it('stands for one request', async () => {
      await first('a')
      const other = aRequest('a', { fingerprint: 'e'.repeat(64) })
      expect(await requests().take(other)).toEqual({ kind: 'other' })
      await requests().answer(1, 'a', ANSWER, T + 1)
      expect(await requests().take(other)).toEqual({ kind: 'other' })
    })

    it('is taken over from the dead, with what they may have made', async () => {
      const { subject } = await first('a')
      expect(await requests().take(aRequest('a', { atMs: T + 60_000 }))).toEqual({ kind: 'busy' })
      expect(await requests().take(aRequest('a', { atMs: T + 60_001 }))).toEqual({ kind: 'mine', subject })
      expect(await requests().take(aRequest('a', { atMs: T + 60_002 }))).toEqual({ kind: 'busy' })
    })

    it('that was given back is free for the same request, with what may have been made', async () => {
      const { subject } = await first('a')
      await requests().giveBack(1, 'a')
      expect(await requests().take(aRequest('a', { fingerprint: 'e'.repeat(64) }))).toEqual({ kind: 'other' })
      expect(await requests().take(aRequest('a', { atMs: T + 1 }))).toEqual({ kind: 'mine', subject })
      await requests().answer(1, 'a', ANSWER, T + 2)
      await requests().giveBack(1, 'a')
      expect(await requests().take(aRequest('a', { atMs: T + 9 }))).toEqual({ kind: 'answered', answer: ANSWER })
    })

    it('keeps the first of two answers', async () => {
      await first('a')
      await requests().answer(1, 'a', ANSWER, T + 1)
      await requests().answer(1, 'a', { ...ANSWER, status: 500 }, T + 2)
      expect(await requests().take(aRequest('a'))).toEqual({ kind: 'answered', answer: ANSWER })
    })

    it('goes to one of many who take it at once', async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const all = async (take: (store: Store) => NewRequest) =>
        (await Promise.all(others.map((other) => other.requests.take(take(other))))).filter(
          ({ kind }) => kind === 'mine',
        )
      const [made, ...more] = await all(() => aRequest('a'))
      expect(more).toEqual([])
      expect(await all(() => aRequest('a', { atMs: T + 90_000 }))).toEqual([made])
      await requests().giveBack(1, 'a')
      expect(await all(() => aRequest('a', { atMs: T + 99_000 }))).toEqual([made])
    })

    it('is forgotten in time', async () => {
      await first('a')
      await requests().take(aRequest('b', { atMs: T + 10 }))
      expect(await requests().forget(T)).toBe(0)
      expect(await requests().forget(T + 1)).toBe(1)
      expect(await requests().take(aRequest('a'))).toMatchObject({ kind: 'mine' })
      expect(await requests().take(aRequest('b'))).toEqual({ kind: 'busy' })
    })
  })
}
