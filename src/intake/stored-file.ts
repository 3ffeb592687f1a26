import { type Blob, BlobMissing } from '../blob/blob.ts'
import type { FilePart, StoredFile } from '../domain/stored-file.ts'
import { SluiceError } from '../errors.ts'
import { type DistantFile, fetchToDisk } from './fetched-file.ts'
import { BLOCK_BYTES, type FoundFile } from './input-file.ts'

/** An uploaded file as a file of the input: it never changes, and its hash is known. Throws `input_missing` where it was deleted meanwhile. */
export function storedFile(
  file: Pick<StoredFile, 'id' | 'name' | 'bytes' | 'sha256'>,
  parts: readonly FilePart[],
  blob: Blob,
): FoundFile {
  const { id, name, bytes } = file
  const sha256 = file.sha256 ?? ''
  const read = (from: number) => readHere(name, readParts(blob, parts, { from, to: bytes }))
  const distant: DistantFile = {
    name,
    bytes,
    read,
    async tail() {
      const blocks: Buffer[] = []
      for await (const block of read(bytes - 8)) blocks.push(block)
      return Buffer.concat(blocks)
    },
  }
  return Object.freeze({
    name,
    bytes,
    async *read(from: number) {
      for await (const block of read(from)) {
        for (let at = 0; at < block.length; at += BLOCK_BYTES) yield block.subarray(at, at + BLOCK_BYTES)
      }
    },
    identity: async () => [id, sha256],
    hash: async () => sha256,
    onDisk: (part: 'end' | 'all', signal?: AbortSignal) => fetchToDisk(distant, part, signal),
  })
}

/** The bytes of a file that lies in parts, from `from` up to `to`; of each part no more than is needed. Throws `BlobMissing` where a part is gone. */
export async function* readParts(
  blob: Blob,
  parts: readonly FilePart[],
  range: { readonly from: number; readonly to: number; readonly blockBytes?: number },
): AsyncGenerator<Buffer> {
  const { from, to, blockBytes } = range
  for (const { offset, bytes, blobKey } of parts) {
    const [start, end] = [Math.max(from - offset, 0), Math.min(to - offset, bytes)]
    if (start >= end) continue
    yield* blob.stream(blobKey, { from: start, to: end, ...(blockBytes !== undefined && { blockBytes }) })
  }
}

async function* readHere(name: string, blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* blocks
  } catch (error) {
    if (!(error instanceof BlobMissing)) throw error
    throw new SluiceError('input_missing', `the uploaded file ${name} was deleted`, {
      hint: 'Create a job anew, and upload it again.',
      cause: error,
    })
  }
}
