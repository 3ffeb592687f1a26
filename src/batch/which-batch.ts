import type { BatchSaid } from '../domain/batch.ts'

/** A batch at the provider that may be the one of a shard. */
export interface Candidate {
  readonly said: BatchSaid
  /** Whose it is: `ours` and `foreign` are certain, by its name or by the ids in its results. */
  readonly proof: 'ours' | 'foreign' | 'none'
}

/** What is known where a create was begun and its answer is not. */
export interface Evidence {
  readonly candidates: readonly Candidate[]
  /** Batches of this provider carry the names of their shards: then only a proof counts. */
  readonly named: boolean
  /** Other shards of the same size there, of which is not known either what became of them. */
  readonly rivals: number
  /** Whatever could have been created would have appeared by now. */
  readonly settled: boolean
}

/**
 * What to do with the shard: `adopt` that batch (`sure`: proven, else the only one that it can be; `strays`: others that carry the same shard, to be
 * cancelled) · `wait` and look again · `resend` it, since nothing was created · `set-aside`: several could be it.
 */
export type Finding =
  | { readonly do: 'adopt'; readonly said: BatchSaid; readonly sure: boolean; readonly strays: readonly BatchSaid[] }
  | { readonly do: 'wait' }
  | { readonly do: 'resend' }
  | { readonly do: 'set-aside'; readonly batchIds: readonly string[] }

/** Finds the batch of a shard, or that there is none. Never `resend` while something may be it, and never before everything has settled. */
export function whichBatch({ candidates, named, rivals, settled }: Evidence): Finding {
  const ours = candidates.filter(({ proof }) => proof === 'ours').map(({ said }) => said)
  const best = ours.toSorted(byWorth)[0]
  if (best !== undefined) {
    const strays = ours.filter((said) => said !== best && said.end === null)
    return { do: 'adopt', said: best, sure: true, strays }
  }
  if (!settled) return { do: 'wait' }
  const open = named ? [] : candidates.filter(({ proof }) => proof === 'none').map(({ said }) => said)
  const only = open[0]
  if (only === undefined) return { do: 'resend' }
  if (open.length === 1 && rivals === 0) return { do: 'adopt', said: only, sure: false, strays: [] }
  return { do: 'set-aside', batchIds: open.map(({ batchId }) => batchId) }
}

/** One that failed was not worked on: any other goes before it. Else the first that was created. */
function byWorth(a: BatchSaid, b: BatchSaid): number {
  const failed = Number(a.end === 'failed') - Number(b.end === 'failed')
  return failed || (a.createdAtMs ?? 0) - (b.createdAtMs ?? 0)
}
