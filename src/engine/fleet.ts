import type { JobId } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { FleetStatus } from './any-work.ts'
import type { EngineDeps } from './engine-deps.ts'

/** Chunks that are listed at the most. */
const CHUNKS = 1_000

/** Who works, and on what (see Engine.fleet). */
export async function fleetStatus({ store, queue }: EngineDeps): Promise<FleetStatus> {
  const { fleet } = store
  const [members, roles, held, total, jobs] = await Promise.all([
    fleet.members(),
    fleet.roles(),
    fleet.holders(CHUNKS),
    queue.total(),
    fleet.standing(),
  ])
  const ids = new Map<number, JobId>()
  for (const jobNo of new Set([...held, ...members].flatMap((one) => (one.jobNo === null ? [] : [one.jobNo])))) {
    const job = await store.jobs.getByNo(jobNo)
    if (job !== null) ids.set(jobNo, job.id)
  }
  return {
    workers: members.map((member) => ({
      workerId: member.workerId,
      host: member.host,
      pid: member.pid,
      version: member.version,
      job: member.jobNo === null ? null : (ids.get(member.jobNo) ?? null),
      chunksHeld: held.filter((chunk) => chunk.owner === member.workerId).length,
      chunksMax: member.chunks,
      concurrency: member.concurrency,
      roles: roles.filter((role) => role.workerId === member.workerId).map((role) => role.role),
      startedAtMs: member.startedAtMs,
      silentMs: member.silentMs,
      gone: member.gone,
    })),
    chunks: held.map((chunk) => ({
      job: ids.get(chunk.jobNo) ?? '',
      chunkNo: chunk.chunkNo,
      workerId: chunk.owner,
      sinceMs: chunk.leasedAtMs,
    })),
    queue: total,
    jobs,
  }
}

/** Asks a worker of the fleet to have so many rows in flight at the most; it obeys with its next beat (see Engine.setWorker). */
export async function setWorker({ store }: EngineDeps, workerId: string, concurrency: number): Promise<void> {
  if (await store.fleet.wantConcurrency(workerId, concurrency)) return
  throw new SluiceError('worker_not_found', `no worker ${workerId} is about`)
}
