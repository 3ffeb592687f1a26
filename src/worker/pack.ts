import type { BatchSize } from '../batch/batch-api.ts'
import { requestsKey } from '../batch/batch-files.ts'
import { partIdOf, requestId, writeRequests } from '../batch/request-lines.ts'
import type { BatchKind } from '../domain/batch.ts'
import { NOTHING, plus } from '../domain/budget.ts'
import type { NewPart } from '../store/role/batches.ts'
import type { BatchRoom, RoomTaken } from './budget-batch.ts'
import { type HeldChunk, type RowTask, staysHere } from './held-chunk.ts'
import { enqueueNext } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** A request as it goes into a part. */
export interface EncodedRow {
  readonly task: RowTask
  readonly kind: BatchKind
  /** JSON text on one line. */
  readonly body: string
}

/** Of what a request may have at the most, the share that a provider is likely to count: four bytes to a token. */
const INPUT_SHARE = 0.3

/**
 * What became of a chunk that was to be packed: `packed` its requests wait for a batch, and it is parked · `no room` its budget has none, for the
 * moment or for good · `lost` it is not this worker's any more.
 */
export type Packing = 'packed' | 'no room' | 'lost'

interface PackPartners {
  readonly guard: StorageGuard
  readonly room: BatchRoom
}

/**
 * Packs requests of a chunk for a batch: writes them into the blob store, and then, in one transaction, notes the parts, moves what they may cost out
 * of this worker's grant, parks the chunk, and lets the job's next one into the queue. Requests that the
 * budget has no room for stay pending: they go into a part when the chunk comes back.
 */
export async function packChunk(
  deps: WorkerDeps,
  partners: PackPartners,
  held: HeldChunk,
  rows: readonly EncodedRow[],
): Promise<Packing> {
  const ordered = [...Map.groupBy(rows, (row) => row.kind.key).values()].flat()
  const room = await partners.room.takeRoom(ordered.map((row) => row.task))
  if (room.worsts.length === 0) return 'no room'
  let done: Packing | 'no grant' = 'lost'
  try {
    const parts = await writeParts(deps, held, ordered.slice(0, room.worsts.length), room)
    if (staysHere(held)) done = await partners.guard.persist(() => commit(deps, held, parts, room))
  } finally {
    if (done === 'packed') room.packed()
    else room.left(done === 'no grant')
  }
  return done === 'no grant' ? 'no room' : done
}

/** Rolls the transaction back. */
class NotPacked extends Error {
  readonly why: 'lost' | 'no grant'
  constructor(why: 'lost' | 'no grant') {
    super(why)
    this.why = why
  }
}

async function commit(
  deps: WorkerDeps,
  held: HeldChunk,
  parts: readonly NewPart[],
  room: RoomTaken,
): Promise<Packing | 'no grant'> {
  const { store, queue, workerId } = deps
  const { claim } = held
  const holds = parts.map(({ id, worst }) => ({ partId: id, worst }))
  const write = async () =>
    store.write(async (tx) => {
      if (!(await store.budgets.hold(tx, claim.jobNo, room.limited ? workerId : null, holds)))
        throw new NotPacked('no grant')
      if (!(await store.chunks.release(tx, claim, 'parked'))) throw new NotPacked('lost')
      await store.batches.pack(tx, parts)
      await queue.complete(tx, held.delivery, held.tokens)
      await enqueueNext(deps, tx, held.run)
    })
  try {
    await write()
    return 'packed'
  } catch (error) {
    if (error instanceof NotPacked) return error.why
    throw error
  }
}

/** Writes the requests of each part; a part is no larger than what one batch may hold. */
async function writeParts(
  { batch, runtime }: WorkerDeps,
  { run, claim }: HeldChunk,
  rows: readonly EncodedRow[],
  { worsts }: RoomTaken,
): Promise<readonly NewPart[]> {
  const worstOf = new Map(rows.map((row, n) => [row, worsts[n] ?? NOTHING]))
  const parts: NewPart[] = []
  for (const ofKind of Map.groupBy(rows, (row) => row.kind.key).values()) {
    const { kind } = ofKind[0] as EncodedRow
    const api = batch.apis.open(kind)
    for (const some of split(ofKind, sizeOf(api.size, run.batch?.requests ?? null), api.lineBytes, tokensOf(run))) {
      const packed = some.toSorted((a, b) => a.task.row.index - b.task.row.index)
      const [id, packedAtMs] = [partIdOf(runtime.uuid()), runtime.now()]
      const key = requestsKey(run.job.id, id)
      const lines = packed.map(({ task, body }) => ({ id: requestId(id, task.row.index), body }))
      const { bytes } = await writeRequests(batch.blob, key, lines)
      parts.push({
        id,
        jobNo: claim.jobNo,
        chunkNo: claim.chunkNo,
        tenantNo: run.job.tenantNo,
        round: run.job.round,
        kind,
        rows: packed.map(({ task }) => task.row.index),
        bytes,
        inputTokens: packed.reduce((sum, row) => sum + inputOf(row), 0),
        worst: packed.map((row) => worstOf.get(row) ?? NOTHING).reduce(plus, NOTHING),
        requestsKey: key,
        packedAtMs,
      })
    }
  }
  return parts
}

function sizeOf(size: BatchSize, requests: number | null): BatchSize {
  return requests === null ? size : { ...size, requests: Math.min(size.requests, requests) }
}

/** A part that takes more than half of the account's queue of tokens would wait until that is empty. */
function tokensOf({ batch }: HeldChunk['run']): number {
  return batch?.queueTokens == null ? Number.POSITIVE_INFINITY : batch.queueTokens / 2
}

function inputOf({ task }: EncodedRow): number {
  return Math.ceil(task.next.worstInputTokens * INPUT_SHARE)
}

function split(rows: readonly EncodedRow[], size: BatchSize, lineBytes: number, tokens: number): EncodedRow[][] {
  const parts: EncodedRow[][] = []
  let [part, bytes, input]: [EncodedRow[], number, number] = [[], 0, 0]
  for (const row of rows) {
    const [more, taken] = [Buffer.byteLength(row.body) + lineBytes, inputOf(row)]
    const isFull = part.length >= size.requests || bytes + more > size.bytes || input + taken > tokens
    if (part.length > 0 && isFull) {
      parts.push(part)
      ;[part, bytes, input] = [[], 0, 0]
    }
    part.push(row)
    bytes += more
    input += taken
  }
  if (part.length > 0) parts.push(part)
  return parts
}
