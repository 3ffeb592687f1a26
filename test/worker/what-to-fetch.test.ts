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

  it('is one of a tenant of which it holds nothing, where its places are taken', () => {
    expect(ask([chunkOf(1), chunkOf(3)], { errands: [errandOf(5)] })).toEqual({
      limit: 1,
      filter: { except: [], exceptTenants: [5, 1, 3] },
    })
  })

  it('is the next one of a tenant whose last is nearly done, but for a tenant that is alone', () => {
    const [nearly, busy] = [chunkOf(1, { open: 5 }), chunkOf(2, { open: 6 })]
    expect(ask([nearly, busy])?.filter.exceptTenants).toEqual([2])
    expect(ask([nearly, nearly, busy])?.filter.exceptTenants).toEqual([1, 2])
    expect(ask([nearly], { chunks: 1 })?.filter.exceptTenants).toEqual([1])
  })

  it('is nothing where it holds many tenants, or many rows', () => {
    const many = Array.from({ length: 66 }, (_, n) => chunkOf(n))
    expect(ask(many)).toBeNull()
    expect(ask(many.slice(1))).not.toBeNull()
    expect(ask([chunkOf(1, {}, 10_000), chunkOf(2, {}, 10_000)])).toBeNull()
  })
})
