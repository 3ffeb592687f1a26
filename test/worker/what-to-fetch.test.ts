import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/queue/queue.ts'
import type { HeldChunk } from '../../src/worker/held-chunk.ts'
import { whatToFetch } from '../../src/worker/what-to-fetch.ts'

function chunkOf(tenantNo: number, more: Partial<Pick<HeldChunk, 'open' | 'stale' | 'closed'>> = {}, rows = 20) {
  const chunk = { run: { job: { tenantNo } }, chunk: { rows }, open: rows, stale: false, closed: false }
  return { ...chunk, ...more } as unknown as HeldChunk
}

const errandOf = (tenantNo: number) => ({ tenantNo }) as Delivery

function ask(held: readonly HeldChunk[], more: Partial<Parameters<typeof whatToFetch>[0]> = {}) {
  return whatToFetch({ held, errands: [], chunks: 2, jobNo: null, except: [], ...more })
}

describe('what a worker fetches', () => {
  it('is as many chunks as it has places for, of whomever', () => {
    expect(ask([])).toEqual({ limit: 2, filter: { except: [] } })
    expect(ask([chunkOf(1), chunkOf(1, { closed: true }), chunkOf(1, { stale: true })], { except: [7] })).toEqual({
      limit: 1,
      filter: { except: [7] },
    })
  })

  it('is of its one job only, where it is there for one', () => {
    expect(ask([chunkOf(1)], { jobNo: 4 })).toEqual({ limit: 1, filter: { jobNo: 4 } })
    expect(ask([chunkOf(1), chunkOf(1)], { jobNo: 4 })).toBeNull()
    expect(ask([], { jobNo: 4, except: [4] })).toBeNull()
  })

  it('is one of each tenant of which it holds nothing, where its places are taken', () => {
    expect(ask([chunkOf(1), chunkOf(3)], { errands: [errandOf(5)] })).toEqual({
      limit: 8,
      filter: { except: [], exceptTenants: [5, 1, 3], lastTenants: [], oneEach: true },
    })
  })

  it('is after that the next one of a tenant whose last is half done, but for a tenant that is alone', () => {
    const [nearly, busy] = [chunkOf(1, { open: 10 }), chunkOf(2, { open: 11 })]
    expect(ask([nearly, busy])?.filter).toMatchObject({ exceptTenants: [2], lastTenants: [1] })
    expect(ask([nearly, nearly, busy])?.filter).toMatchObject({ exceptTenants: [1, 2], lastTenants: [] })
    expect(ask([nearly], { chunks: 1 })?.filter.exceptTenants).toEqual([1])
  })

  it('is nothing where it holds many tenants, or many rows', () => {
    const many = Array.from({ length: 66 }, (_, n) => chunkOf(n))
    expect(ask(many)).toBeNull()
    expect(ask(many.slice(1))?.limit).toBe(1)
    expect(ask([chunkOf(1, {}, 10_000), chunkOf(2, {}, 10_000)])).toBeNull()
    expect(ask([chunkOf(1, {}, 5_000), chunkOf(2, {}, 5_000)])?.limit).toBe(2)
  })

  it('is something of tenants of which it holds nothing, however many others have two chunks', () => {
    const two = Array.from({ length: 40 }, (_, n) => [chunkOf(n, { open: 3 }), chunkOf(n)]).flat()
    expect(ask(two)?.filter.exceptTenants).toHaveLength(40)
  })
})
