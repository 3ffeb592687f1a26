import type { Meter } from '@opentelemetry/api'
import type { FleetStatus } from '../engine.ts'
import type { TenantLabel } from './work-figures.ts'

/** Asks the store, when somebody reads the figures, for what a fleet is sized by. The same from every process, so take the greatest, not the sum. */
export function measureFleet(meter: Meter, fleet: () => Promise<FleetStatus>, tenant: TenantLabel): void {
  const messages = meter.createObservableGauge('sluice_queue_messages', {
    description: 'Messages of the queue, each a chunk to be worked on or a job to be ended: ready, delayed, leased.',
  })
  const oldest = meter.createObservableGauge('sluice_queue_oldest_ready_seconds', {
    description: 'How long the oldest ready message has waited; 0: none is ready.',
  })
  const workers = meter.createObservableGauge('sluice_workers', {
    description: 'Workers that the store has heard of lately.',
  })
  const chunks = meter.createObservableGauge('sluice_worker_chunks', {
    description: 'Chunks that workers may hold, and hold.',
  })
  const jobs = meter.createObservableGauge('sluice_jobs', {
    description: 'Jobs that are queued, running or finalizing.',
  })
  meter.addBatchObservableCallback(
    async (result) => {
      const { queue, workers: members, jobs: standing } = await fleet()
      for (const state of ['ready', 'delayed', 'leased'] as const) result.observe(messages, queue[state], { state })
      result.observe(oldest, (queue.oldestReadyMs ?? 0) / 1000)
      const alive = members.filter(({ gone }) => !gone)
      result.observe(workers, alive.length)
      result.observe(chunks, sum(alive.map(({ chunksMax }) => chunksMax)), { state: 'capacity' })
      result.observe(chunks, sum(alive.map(({ chunksHeld }) => chunksHeld)), { state: 'held' })
      for (const count of standing) result.observe(jobs, count.jobs, { ...tenant(count.tenantNo), state: count.state })
    },
    [messages, oldest, workers, chunks, jobs],
  )
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
