import { type Blob, BlobMissing } from '../blob/blob.ts'
import type { ChunkExtent, RowPart } from '../domain/chunk.ts'
import { parseExact } from '../domain/exact-json.ts'
import type { Row, Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'
import { keyOf } from './row-key.ts'

/**
 * The rows of a chunk as they stand in the snapshot, each with a value for every column. Lines that could not be read are left out: their
 * outcome stands in the store already. `keyColumn`: whose value is the row's id; `null`: its index is. `part`: only these of its rows.
 * Throws `snapshot_damaged` unless the bytes are there and are the ones that were written.
 */
export async function readChunk(
  blob: Blob,
  chunk: ChunkExtent,
  columns: readonly string[],
  keyColumn: number | null,
  part: RowPart = chunk,
): Promise<Row[]> {
  const bytes = await readExtent(blob, chunk)
  const lines = bytes.toString('utf8').split('\n')
  if (lines.length !== chunk.rows + 1) throw damaged(chunk, `it holds ${lines.length - 1} lines, not ${chunk.rows}`)
  const rows: Row[] = []
  const first = part.firstRow - chunk.firstRow
  for (let at = first; at < Math.min(chunk.rows, first + part.rows); at++) {
    const values = parseExact(lines[at] as string) as Value[] | null
    if (values === null) continue
    // Columns that were met later in the input.
    while (values.length < columns.length) values.push(null)
    const index = chunk.firstRow + at
    const id = (keyColumn === null ? null : keyOf(values[keyColumn])) ?? String(index)
    rows.push({ index, id, values })
  }
  return rows
}

async function readExtent(blob: Blob, chunk: ChunkExtent): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await blob.read(chunk.segmentKey, { offset: chunk.byteOffset, length: chunk.byteLength })
  } catch (error) {
    if (error instanceof BlobMissing) throw damaged(chunk, 'it is missing or cut off', error)
    throw error
  }
  if (sha256(bytes) !== chunk.sha256) throw damaged(chunk, 'its bytes are not the ones that were written')
  return bytes
}

function damaged(chunk: ChunkExtent, what: string, cause?: unknown): SluiceError {
  const rows = `rows ${chunk.firstRow} to ${chunk.firstRow + chunk.rows - 1}`
  return new SluiceError('snapshot_damaged', `segment ${chunk.segmentKey} of the snapshot, ${rows}: ${what}`, { cause })
}
