import type { Outcome } from '../domain/row.ts'
import type { BatchRoom } from './budget-batch.ts'
import { type HeldChunk, type RowTask, staysHere } from './held-chunk.ts'
import { intentOf, targetOf } from './intent.ts'
import { type EncodedRow, type Packing, packChunk } from './pack.ts'
import type { Pool } from './pool.ts'
import type { Recorder } from './recorder.ts'
import { settleRow } from './send-row.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/**
 * Where rows go that are to be asked: into the pool, or, where they go by batch, onto this desk, until nothing else of their chunk is under way. Then
 * they are packed, and their chunk is parked. No slot is taken and nobody is asked by that.
 */
export interface BatchDesk {
  add(tasks: readonly RowTask[]): void
  /** All rows of the chunk that can be sorted are: what lies here may be packed. */
  open(held: HeldChunk): void
  /** A row's outcome was handed to the recorder. */
  ended(held: HeldChunk, outcome: Outcome): void
  /** The chunk has gone, or is going. */
  leave(held: HeldChunk): void
}

interface DeskPartners {
  readonly recorder: Recorder
  readonly guard: StorageGuard
  readonly pool: Pick<Pool, 'add'>
  readonly room: BatchRoom
  /** Hears what became of a chunk that was to be packed. */
  readonly onPacked: (held: HeldChunk, packing: Packing) => Promise<void>
  /** Hears when a chunk has no row under way any more. */
  readonly onIdle: (held: HeldChunk) => void
  readonly onDefect: (error: unknown) => void
}

/** What of a chunk is under way. */
interface Tray {
  /** To be packed. */
  tasks: RowTask[]
  /** Rows that went into the pool. */
  readonly live: Set<number>
  opened: boolean
  packing: boolean
}

/** Creates the desk of one worker. */
export function createBatchDesk(deps: WorkerDeps, partners: DeskPartners): BatchDesk {
  const trays = new Map<HeldChunk, Tray>()
  const trayOf = (held: HeldChunk): Tray => {
    const known = trays.get(held)
    if (known !== undefined) return known
    const tray = { tasks: [], live: new Set<number>(), opened: false, packing: false }
    trays.set(held, tray)
    return tray
  }
  const pack = async (held: HeldChunk, tray: Tray) => {
    const tasks = tray.tasks.splice(0)
    const { encoded, again } = await encode(deps, partners.recorder, tasks)
    tray.tasks.push(...again)
    if (encoded.length === 0 || !staysHere(held)) return
    await partners.onPacked(held, await packChunk(deps, partners, held, encoded))
  }
  const check = (held: HeldChunk) => {
    const tray = trays.get(held)
    if (tray === undefined || !tray.opened || tray.packing) return
    if (tray.tasks.length === 0 || tray.live.size > 0 || !staysHere(held)) return
    tray.packing = true
    held.inFlight += 1
    pack(held, tray)
      .catch(partners.onDefect)
      .finally(() => {
        tray.packing = false
        held.inFlight -= 1
        if (held.inFlight === 0) partners.onIdle(held)
        check(held)
      })
  }

  return Object.freeze({
    add(tasks: readonly RowTask[]) {
      const live: RowTask[] = []
      const held = new Set<HeldChunk>()
      for (const task of tasks) {
        if (goesByBatch(task)) {
          trayOf(task.held).tasks.push(task)
          held.add(task.held)
          continue
        }
        live.push(task)
        if (task.held.run.batch !== null) trayOf(task.held).live.add(task.row.index)
      }
      if (live.length > 0) partners.pool.add(live)
      held.forEach(check)
    },
    open(held: HeldChunk) {
      if (held.run.batch === null) return
      trayOf(held).opened = true
      check(held)
    },
    ended(held: HeldChunk, { rowIndex }: Outcome) {
      if (trays.get(held)?.live.delete(rowIndex)) check(held)
    },
    leave: (held: HeldChunk) => void trays.delete(held),
  })
}

/** Whether the row's next request waits for a batch. */
function goesByBatch(task: RowTask): boolean {
  const { batch, route } = task.held.run
  if (batch === null || targetOf(task).batch === null) return false
  if (route !== null && route.way !== 'batch') return false
  return batch.retry === 'batch' || task.past.length === 0
}

/** Encodes requests; what cannot be put to the provider at all is settled at once, and may be asked in another way. */
async function encode({ batch, runtime }: WorkerDeps, recorder: Recorder, tasks: readonly RowTask[]) {
  const encoded: EncodedRow[] = []
  const again: RowTask[] = []
  for (const task of tasks) {
    const { target } = task.next.request
    const request = await batch.models.open(target).encode(task.next.request)
    if (request.ok) {
      encoded.push({ task, kind: batch.models.batchKind(target, request), body: request.body })
      continue
    }
    const { batch: rate } = targetOf(task)
    if (rate === null) continue
    const way = { id: runtime.uuid(), lane: 'batch', rate, startedAtMs: runtime.now() } as const
    const sent = { intent: intentOf(task, way), price: rate.price, completion: request, outage: false }
    const { wait } = settleRow({ runtime }, recorder, task, sent)
    if (wait !== null) again.push(task)
  }
  return { encoded, again }
}
