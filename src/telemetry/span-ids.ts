import { type Context, ROOT_CONTEXT, type SpanContext, TraceFlags, trace } from '@opentelemetry/api'
import type { ChunkRef } from '../domain/chunk.ts'
import type { JobId } from '../domain/job.ts'
import { sha256 } from '../runtime.ts'

/** The trace of a job: its UUID, so that whoever knows the one can look up the other, and all processes write into the same. */
export function traceIdOf(jobId: JobId): string {
  return jobId.replace(/^job_/, '').replaceAll('-', '')
}

/** The span of one round of a job: every process knows it without being told. */
export function jobSpanId(jobId: JobId, round: number): string {
  return sha256(`${jobId}/${round}`).slice(0, 16)
}

/** The span of one hold of a chunk. */
export function chunkSpanId({ jobId, round, chunkNo }: Held, epoch: number): string {
  return sha256(`${jobId}/${round}/${chunkNo}/${epoch}`).slice(0, 16)
}

interface Held {
  readonly jobId: JobId
  readonly round: number
  readonly chunkNo: number
}

/** Below which the spans of a job's round stand. */
export function withinJob(jobId: JobId, round: number): Context {
  const span: SpanContext = {
    traceId: traceIdOf(jobId),
    spanId: jobSpanId(jobId, round),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  }
  return trace.setSpanContext(ROOT_CONTEXT, span)
}

/** Whether a chunk is among the share that is traced: the same everywhere and each time. */
export function isTraced({ jobNo, chunkNo }: ChunkRef, share: number): boolean {
  if (share >= 1) return true
  return Number.parseInt(sha256(`${jobNo}/${chunkNo}`).slice(0, 8), 16) < share * 0x1_0000_0000
}
