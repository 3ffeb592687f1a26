import { memoryUsage } from 'node:process'
import type { Meter } from '@opentelemetry/api'
import type { WorkerStatus } from '../engine.ts'

/** What this process is, and has in hand. */
export function measureProcess(meter: Meter, version: string, worker: () => WorkerStatus | null): void {
  meter
    .createObservableGauge('sluice_build_info', { description: 'Always 1; says which version this is.' })
    .addCallback((result) => result.observe(1, { version, node: process.versions.node }))
  meter
    .createObservableGauge('process_resident_memory_bytes', { description: 'Memory of this process.' })
    .addCallback((result) => result.observe(memoryUsage.rss()))
  meter
    .createObservableGauge('sluice_in_flight', { description: 'Rows that wait for an answer here.' })
    .addCallback((result) => result.observe(worker()?.inFlight ?? 0))
  meter
    .createObservableGauge('sluice_chunks_held', { description: 'Chunks that this process holds.' })
    .addCallback((result) => result.observe(worker()?.chunks ?? 0))
}
