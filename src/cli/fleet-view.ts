import type { FleetMember, FleetStatus } from '../engine.ts'
import { age, count, counted } from './figures.ts'
import type { Style } from './style.ts'
import { type Column, tableLines } from './table.ts'

const WORKERS: readonly Column[] = [
  { title: 'WORKER' },
  { title: 'HOST', flexible: true },
  { title: 'PID', align: 'right' },
  { title: 'VERSION', flexible: true },
  { title: 'JOB', flexible: true },
  { title: 'CHUNKS', align: 'right' },
  { title: 'ROWS', align: 'right' },
  { title: 'HEARD', align: 'right' },
  { title: 'ROLES', flexible: true },
]

const CHUNKS: readonly Column[] = [
  { title: 'JOB' },
  { title: 'CHUNK', align: 'right' },
  { title: 'WORKER', flexible: true },
  { title: 'HELD FOR', align: 'right' },
]

/** Chunks that a person looks at. */
const CHUNKS_SHOWN = 20

/** The fleet for people: who is there, who holds which chunk since when, what waits. */
export function fleetLines(fleet: FleetStatus, nowMs: number, width: number, style: Style): string[] {
  if (fleet.workers.length === 0) return ['No worker is about.', queueLine(fleet)]
  const lines = tableLines(WORKERS, fleet.workers.map(workerCells), width, style)
  if (fleet.chunks.length > 0) {
    const shown = fleet.chunks.slice(0, CHUNKS_SHOWN)
    const cells = shown.map((chunk) => [
      chunk.job,
      String(chunk.chunkNo),
      chunk.workerId,
      chunk.sinceMs === null ? 'unknown' : age(nowMs - chunk.sinceMs),
    ])
    lines.push('', ...tableLines(CHUNKS, cells, width, style))
    const more = fleet.chunks.length - shown.length
    if (more > 0) lines.push(`and ${counted(more, 'chunk')} more`)
  }
  return [...lines, '', queueLine(fleet)]
}

/** `2 workers, 10 chunks held; queue: 120 ready, 0 delayed, 10 leased`. */
export function fleetSummary(fleet: FleetStatus): string {
  const alive = fleet.workers.filter((worker) => !worker.gone).length
  return `${counted(alive, 'worker')}, ${counted(fleet.chunks.length, 'chunk')} held; ${queueLine(fleet)}`
}

function workerCells(worker: FleetMember): string[] {
  return [
    worker.workerId,
    worker.host,
    String(worker.pid),
    worker.version,
    worker.job ?? 'any',
    `${count(worker.chunksHeld)}/${count(worker.chunksMax)}`,
    worker.concurrency === null ? '' : count(worker.concurrency),
    worker.gone ? `dead, ${age(worker.silentMs)}` : age(worker.silentMs),
    worker.roles.join(', '),
  ]
}

function queueLine({ queue }: FleetStatus): string {
  const oldest = queue.oldestReadyMs === null ? '' : `; the oldest has waited ${age(queue.oldestReadyMs)}`
  return `queue: ${count(queue.ready)} ready, ${count(queue.delayed)} delayed, ${count(queue.leased)} leased${oldest}`
}

/** The fleet as lines for programs. */
export function fleetEvents(fleet: FleetStatus): ({ readonly type: string } & Readonly<Record<string, unknown>>)[] {
  return [
    ...fleet.workers.map((worker) => ({
      type: 'member',
      worker: worker.workerId,
      host: worker.host,
      pid: worker.pid,
      version: worker.version,
      job: worker.job,
      chunks: { max: worker.chunksMax, held: worker.chunksHeld },
      concurrency: worker.concurrency,
      roles: worker.roles,
      started_at: new Date(worker.startedAtMs).toISOString(),
      silent_s: Math.round(worker.silentMs) / 1000,
      gone: worker.gone,
    })),
    ...fleet.chunks.map((chunk) => ({
      type: 'held_chunk',
      job: chunk.job,
      chunk: chunk.chunkNo,
      worker: chunk.workerId,
      since: chunk.sinceMs === null ? null : new Date(chunk.sinceMs).toISOString(),
    })),
    {
      type: 'queue',
      ready: fleet.queue.ready,
      delayed: fleet.queue.delayed,
      leased: fleet.queue.leased,
      oldest_ready_s: fleet.queue.oldestReadyMs === null ? null : Math.round(fleet.queue.oldestReadyMs) / 1000,
    },
  ]
}
