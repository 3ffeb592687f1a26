import type { Blob } from '../blob/blob.ts'
import type { BatchPart } from '../domain/batch.ts'
import type { BatchApi, ResultLine } from './batch-api.ts'
import { readRequestId } from './request-lines.ts'

const LF = 0x0a

/**
 * The results of one part, by row index; rows of which the batch said nothing are not there. One ranged read of the object that holds them. Rejects with
 * `BlobMissing` where it is gone.
 */
export async function readResults(
  blob: Blob,
  part: Pick<BatchPart, 'id' | 'results'>,
  readLine: BatchApi['readLine'],
): Promise<ReadonlyMap<number, ResultLine>> {
  const found = new Map<number, ResultLine>()
  if (part.results === null || part.results.length === 0) return found
  const { key, offset, length } = part.results
  const bytes = await blob.read(key, { offset, length })
  for (let from = 0; from < bytes.length; ) {
    const next = bytes.indexOf(LF, from)
    const end = next < 0 ? bytes.length : next
    const line = readLine(bytes.subarray(from, end))
    const place = readRequestId(line.id ?? '')
    if (place?.partId === part.id && !found.has(place.rowIndex)) found.set(place.rowIndex, line)
    from = end + 1
  }
  return found
}
