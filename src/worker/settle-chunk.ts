import type { AttemptFact } from '../domain/attempt.ts'
import type { ChunkRef } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import { addCounters, NO_COUNTS } from '../domain/job.ts'
import { countsOfOutcome } from '../domain/outcome-counts.ts'
import type { Outcome } from '../domain/row.ts'
import type { Delivery } from '../queue/queue.ts'
import type { Store } from '../store/store.ts'
import { closeParts, type HeldChunk } from './held-chunk.ts'
import { openChunk } from './open-chunk.ts'
import { usedBy } from './outcomes.ts'
import type { Recorder } from './recorder.ts'
import { settleRow } from './send-row.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** As whom the chunks of a job that ends are claimed. */
const OWNER = 'settler'

type SettleDeps = Pick<WorkerDeps, 'store' | 'runtime' | 'readRows' | 'batch' | 'takeUp'>

/** What rows of one chunk came to. */
interface Settlement extends Pick<Recorder, 'end'> {
  readonly facts: { readonly fact: AttemptFact; readonly partId: string }[]
  readonly outcomes: Outcome[]
}

/** Rolls the transaction back: somebody else has the chunk. */
class Passed extends Error {}

/**
 * Books what has come back by batch of a chunk whose job is to end, and closes its parts: answers that fit are kept, the other rows stay without an
 * outcome, and nothing is asked. Does nothing where the chunk is not to be had. Harmless to repeat.
 */
export async function settleChunk(deps: SettleDeps, ref: ChunkRef): Promise<void> {
  const { store, runtime } = deps
  const claimed = await store.chunks.claim(ref, OWNER, false, runtime.now(), 'settle')
  if (claimed === null) return
  const { jobNo, chunkNo, epoch } = claimed.chunk
  const run = await deps.takeUp(claimed.job)
  const opened = await openChunk(deps, run, claimed, noDelivery(claimed.job, ref))
  if (opened !== null) {
    const settlement = newSettlement()
    for (const { task, sent } of opened.returned) settleRow(deps, settlement, task, sent)
    if (await book(store, opened.held, settlement)) return
  }
  await store.write((tx) => store.chunks.release(tx, { jobNo, chunkNo, epoch }, 'ready'))
}

function newSettlement(): Settlement {
  const facts: Settlement['facts'] = []
  const outcomes: Outcome[] = []
  return {
    facts,
    outcomes,
    end(_held, fact, outcome, partId) {
      if (fact !== null && partId !== undefined) facts.push({ fact, partId })
      if (outcome !== null) outcomes.push(outcome)
    },
  }
}

/** One transaction. `false`: the chunk's epoch has passed. */
async function book(store: Store, held: HeldChunk, { facts, outcomes }: Settlement): Promise<boolean> {
  const { claim } = held
  const used = facts.map(({ fact }) => usedBy(fact))
  const delta = [...used, ...outcomes.map(countsOfOutcome)].reduce(addCounters, NO_COUNTS)
  const ofParts = Map.groupBy(facts, (each) => each.partId)
  try {
    await store.write(async (tx) => {
      await store.budgets.bookParts(
        tx,
        [...ofParts].map(([partId, each]) => ({ ...claim, partId, facts: each.map(({ fact }) => fact) })),
      )
      const passed = await store.rows.record(tx, {
        intents: [],
        facts: facts.map(({ fact }) => fact),
        outcomes: outcomes.map((outcome) => ({ claim, outcome })),
        deltas: [{ claim, delta }],
      })
      if (passed.length > 0) throw new Passed()
      await closeParts(store, tx, held)
      if (!(await store.chunks.release(tx, claim, 'ready'))) throw new Passed()
    })
    return true
  } catch (error) {
    if (error instanceof Passed) return false
    throw error
  }
}

/** Nothing brought the chunk here: its job is ending, and has no messages. */
function noDelivery({ tenantNo }: Job, ref: ChunkRef): Delivery {
  return { messageId: '', task: { kind: 'chunk', ...ref }, tenantNo, receipt: '', deliveries: 1, charged: 0 }
}
