import { sha256, uuidv7 } from '../runtime.ts'
import { requestId } from './request-lines.ts'

/**
 * The id under which the attempt of a row in a part stands in the ledger: a UUIDv7 with the part's time, and for the rest a hash of part and row.
 * It is the same whenever and by whomever it is computed, so that booking a result twice inserts it once. `partId` is that of a `BatchPart`.
 */
export function batchAttemptId(partId: string, rowIndex: number): string {
  const timeMs = Number.parseInt(partId.slice(0, 12), 16)
  return uuidv7(timeMs, Buffer.from(sha256(requestId(partId, rowIndex)), 'hex'))
}
