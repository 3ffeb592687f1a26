import type { Role } from '../store/store.ts'
import { serveDuties } from '../worker/duties.ts'
import type { AnyWork, WorkAnyOptions, WorkerStatus } from './any-work.ts'
import { enterFleet, type FleetWorker, type WorkDeps } from './enter-fleet.ts'
import { fleetDuties } from './fleet-duties.ts'
import { type Meter, startMeter } from './meter.ts'

const DEFAULT_CHUNKS = 5
/** How often a panel hears. */
const STATUS_MS = 250

/** Joins the fleet, and works on any job until told to leave (see Engine.workAny). */
export async function workAny(parts: WorkDeps, options: WorkAnyOptions): Promise<AnyWork> {
  const { runtime, events } = parts.deps
  const chunks = options.chunks ?? DEFAULT_CHUNKS
  const say = (note: string) => options.onNote?.(note)
  let concurrency = options.concurrency
  const roles = new Set<Role>()
  const seat = await enterFleet(
    parts,
    {
      jobNo: null,
      chunks,
      concurrency: () => concurrency,
      onWish(rows) {
        concurrency = rows
        say(`concurrency is ${rows} now, as somebody asked`)
      },
      onBeat: () => options.onBeat?.(),
    },
    options.signal,
  )
  const { workerId, worker } = seat
  const meter = startMeter(events, runtime)
  const status = () => statusOf(seat, meter, { chunks, concurrency, roles, leaving: options.signal.aborted })
  const offs = notes(parts, workerId, say)

  const serve = async (): Promise<WorkerStatus> => {
    const ended = new AbortController()
    const beside = Promise.all([
      serveDuties(
        {
          fleet: parts.deps.store.fleet,
          runtime,
          workerId,
          onRole: (role, held) => void (held ? roles.add(role) : roles.delete(role)),
          onFailure: (role, error) => events.emit('duty.failed', { role, jobNo: null, message: messageOf(error) }),
        },
        fleetDuties(parts, workerId),
        AbortSignal.any([ended.signal, options.signal, options.abandon]),
      ),
      report(parts, options, status, ended.signal),
    ])
    // Awaited below; until then its failure is nobody's, and must not end the process.
    beside.catch(() => undefined)
    try {
      await worker.run({
        jobNo: null,
        chunks,
        untilIdle: options.untilIdle ?? false,
        signal: options.signal,
        abandon: options.abandon,
        ...(options.drainMs !== undefined && { drainMs: options.drainMs }),
      })
    } finally {
      ended.abort()
      // The end of everything waits for nobody: a role that is not laid down runs out.
      if (!options.abandon.aborted) await beside
      meter.stop()
      for (const off of offs) off()
      await seat.leave()
    }
    return status()
  }

  return Object.freeze({
    workerId,
    done: serve(),
    setConcurrency(rows: number | null) {
      concurrency = rows
    },
  })
}

/** What a worker says of itself, from what it has in hand. */
function statusOf(
  { workerId, worker }: FleetWorker,
  meter: Meter,
  now: {
    readonly chunks: number
    readonly concurrency: number | null
    readonly roles: ReadonlySet<Role>
    readonly leaving: boolean
  },
): WorkerStatus {
  const { view } = worker
  const phase = view.storageFailing
    ? 'storage'
    : now.leaving || view.leaving
      ? 'stopping'
      : view.chunks === 0
        ? 'idle'
        : 'working'
  return {
    workerId,
    phase,
    jobs: view.jobs,
    chunks: view.chunks,
    chunksMax: now.chunks,
    inFlight: view.inFlight,
    concurrency: now.concurrency,
    rowsDone: meter.rowsEnded,
    rowsPerSecond: meter.rowsPerSecond,
    tokensPerMinute: meter.tokensPerMinute,
    roles: [...now.roles].sort(),
    lastCommitMs: view.lastCommitMs,
    note: meter.note(),
  }
}

async function report(
  { deps }: WorkDeps,
  { onStatus }: WorkAnyOptions,
  status: () => WorkerStatus,
  ended: AbortSignal,
): Promise<void> {
  if (onStatus === undefined) return
  while (!ended.aborted) {
    onStatus(status())
    await deps.runtime.sleep(STATUS_MS, ended).catch(() => undefined)
  }
}

/** Says what happens to this worker that a person should know. */
function notes({ deps }: WorkDeps, workerId: string, say: (note: string) => void): readonly (() => void)[] {
  return [
    deps.events.on('worker.lapsed', (event) => {
      if (event.workerId !== workerId) return
      const long = event.silentMs === null ? 'long' : `for ${Math.round(event.silentMs / 1000)} s`
      say(`the fleet did not hear of this worker ${long}: its chunks went to others`)
    }),
    deps.events.on('batch.trouble', ({ shardId, message }) => say(`batch of shard ${shardId}: ${message}`)),
    deps.events.on('notice.undelivered', ({ message }) => say(`notification ${message}`)),
    deps.events.on('duty.failed', ({ role, jobNo, message }) =>
      say(`${role}: ${jobNo === null ? '' : `job number ${jobNo}: `}${message}`),
    ),
  ]
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
