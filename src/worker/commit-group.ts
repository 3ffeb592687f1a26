import type { AttemptFact, AttemptIntent } from '../domain/attempt.ts'
import type { ChunkClaim } from '../domain/chunk.ts'
import type { Counters } from '../domain/job.ts'
import type { Outcome } from '../domain/row.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'
import type { GrantBooks } from './grant-books.ts'
import { closeParts, type HeldChunk } from './held-chunk.ts'
import { enqueueNext, finalizeMessage } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'

/** What is written in one transaction. */
export interface Group {
  readonly intents: {
    readonly held: HeldChunk
    readonly intent: AttemptIntent
    readonly resolve: (go: boolean) => void
  }[]
  readonly facts: {
    readonly held: HeldChunk
    readonly fact: AttemptFact
    readonly last: boolean
    readonly partId: string | null
  }[]
  readonly outcomes: { readonly held: HeldChunk; readonly outcome: Outcome }[]
  /** What each chunk's counters gain. */
  readonly deltas: Map<HeldChunk, Counters>
  readonly closing: HeldChunk[]
  readonly settling: HeldChunk[]
  readonly over: PromiseWithResolvers<void>
}

/** A group with nothing in it. */
export const emptyGroup = (): Group => ({
  intents: [],
  facts: [],
  outcomes: [],
  deltas: new Map(),
  closing: [],
  settling: [],
  over: Promise.withResolvers(),
})
/** Its entries. */
export const sizeOf = (group: Group) =>
  group.intents.length + group.facts.length + group.outcomes.length + group.closing.length + group.settling.length

export interface CommitDeps {
  readonly store: Store
  readonly queue: Queue
  readonly runtime: Runtime
  readonly guard: StorageGuard
  readonly grants: GrantBooks
}

/** What became of a group. */
export interface Committed {
  /** Claims whose epoch had passed. */
  readonly passed: ReadonlySet<string>
  readonly closed: readonly HeldChunk[]
  /** Jobs of which no grant stands: their intents were not written. */
  readonly ungranted: ReadonlySet<number>
}

/** One transaction: attempts, outcomes and counters; and with a chunk's last outcome its end. */
export function commitGroup(deps: CommitDeps, group: Group): Promise<Committed> {
  const { store, guard, grants } = deps
  return guard.persist(() =>
    store.write(async (tx) => {
      const intents = group.intents.map((entry) => entry.intent)
      const facts = group.facts.map((entry) => entry.fact)
      const ungranted = await grants.book(tx, intents, facts)
      await bookParts(store, tx, group.facts)
      const stale = await store.rows.record(tx, {
        intents: ungranted.size === 0 ? intents : intents.filter(({ jobNo }) => !ungranted.has(jobNo)),
        facts,
        outcomes: group.outcomes.map(({ held, outcome }) => ({ claim: held.claim, outcome })),
        deltas: [...group.deltas].map(([held, delta]) => ({ claim: held.claim, delta })),
      })
      const passed = new Set(stale.map(nameOf))
      for (const held of group.settling) if (!passed.has(nameOf(held.claim))) await closeParts(store, tx, held)
      return { passed, closed: await closeChunks(deps, tx, group.closing, passed), ungranted }
    }),
  )
}

/** Ends chunks whose rows all have outcomes. Adds those to `passed` that are not ours any more; returns the others. */
async function closeChunks(
  { store, queue, runtime }: CommitDeps,
  tx: StoreTx,
  closing: readonly HeldChunk[],
  passed: Set<string>,
): Promise<readonly HeldChunk[]> {
  // In the order in which all workers take locks.
  const inOrder = closing.toSorted(({ claim: a }, { claim: b }) => a.jobNo - b.jobNo || a.chunkNo - b.chunkNo)
  const closed: HeldChunk[] = []
  for (const held of inOrder) {
    if (passed.has(nameOf(held.claim))) continue
    await closeParts(store, tx, held)
    const result = await store.chunks.complete(tx, held.claim, runtime.now())
    if (result === 'stale') {
      passed.add(nameOf(held.claim))
      continue
    }
    await queue.complete(tx, held.delivery, held.tokens)
    if (result === 'last') await queue.enqueue(tx, [finalizeMessage(held.run)])
    else await enqueueNext({ store, queue }, tx, held.run)
    closed.push(held)
  }
  return closed
}

/** Takes what came by batch out of what is held for its parts. */
async function bookParts(store: Store, tx: StoreTx, facts: Group['facts']): Promise<void> {
  const ofParts = Map.groupBy(facts, (entry) => entry.partId)
  ofParts.delete(null)
  if (ofParts.size === 0) return
  await store.budgets.bookParts(
    tx,
    [...ofParts].map(([partId, entries]) => {
      const { jobNo, chunkNo } = (entries[0] as (typeof entries)[number]).held.claim
      return { partId: partId as string, jobNo, chunkNo, facts: entries.map((entry) => entry.fact) }
    }),
  )
}

/** Names a claim; it is the same for no other. */
export function nameOf(claim: ChunkClaim): string {
  return `${claim.jobNo}/${claim.chunkNo}/${claim.epoch}`
}
