import type { ChunkClaim, ChunkRef } from '../domain/chunk.ts'

/** Tells claims that stand from those whose epoch has passed. */
export interface Fence {
  holds(claim: ChunkClaim): boolean
  /** The claims that were asked about and had passed, each once. */
  passed(): readonly ChunkClaim[]
}

/** A fence over the epochs of leased chunks; `epochOf` gives `null` for a chunk that nobody holds. It is asked once for each chunk. */
export function createFence(epochOf: (ref: ChunkRef) => number | null): Fence {
  const epochs = new Map<string, number | null>()
  const passed = new Map<string, ChunkClaim>()
  const known = (ref: ChunkRef) => {
    const name = `${ref.jobNo}/${ref.chunkNo}`
    const before = epochs.get(name)
    if (before !== undefined) return before
    const epoch = epochOf(ref)
    epochs.set(name, epoch)
    return epoch
  }
  return Object.freeze({
    holds(claim: ChunkClaim): boolean {
      if (known(claim) === claim.epoch) return true
      const { jobNo, chunkNo, epoch } = claim
      passed.set(`${jobNo}/${chunkNo}/${epoch}`, { jobNo, chunkNo, epoch })
      return false
    },
    passed: () => [...passed.values()],
  })
}
