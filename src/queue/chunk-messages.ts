import type { ChunkRef } from '../domain/chunk.ts'
import type { Priority } from '../domain/job.ts'
import type { NewMessage } from './queue.ts'

/**
 * Messages that one job has in the queue at the most, but for the few that a resume finds leased: a chunk that ends lets the next one in. Enough
 * to keep hundreds of workers busy, and few enough that a job of a billion rows is queued at once and leaves no mark on anybody's fetch.
 */
export const WINDOW = 1_000

/** The messages that ask for work on these chunks. */
export function chunkMessages(refs: readonly ChunkRef[], tenantNo: number, priority: Priority): NewMessage[] {
  return refs.map((ref) => ({ task: { kind: 'chunk', ...ref }, tenantNo, priority }))
}
