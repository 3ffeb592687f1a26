import type { S3Bucket } from './s3-bucket.ts'
import { S3Failure } from './s3-failure.ts'
import type { S3Range } from './s3-read.ts'

/** What is read at once where an object is read one range after the other. */
const AHEAD_BYTES = 4 * 1024 * 1024
/** Blocks kept: 16 MB at most. */
const BLOCKS = 4

interface Block {
  readonly key: string
  readonly offset: number
  readonly bytes: Buffer
}

/** Reads ranges, ahead where that pays. */
export interface ReadAhead {
  /** Exactly the range. Rejects as `S3Bucket.read` does. */
  read(bucket: Pick<S3Bucket, 'read' | 'look'>, key: string, range: S3Range): Promise<Buffer>
  /** What begins with `prefix` is another object now, or none. */
  forget(prefix: string): void
}

/**
 * Takes the chunks of a snapshot segment from a few large requests instead of one each. Only a range that begins where the last one of its object
 * ended is read ahead; whoever reads here and there pays for what is asked, and no more. The objects are immutable: nothing kept goes stale.
 */
export function createReadAhead(): ReadAhead {
  let blocks: readonly Block[] = []
  /** Where the last range of each of the objects read of late ended. */
  const ends = new Map<string, number>()

  const note = (key: string, end: number) => {
    ends.delete(key)
    ends.set(key, end)
    if (ends.size > BLOCKS) ends.delete(ends.keys().next().value as string)
  }
  const keep = (block: Block) => {
    blocks = [block, ...blocks.filter((each) => each.key !== block.key)].slice(0, BLOCKS)
  }

  return Object.freeze({
    async read(bucket: Pick<S3Bucket, 'read' | 'look'>, key: string, range: S3Range) {
      const goesOn = ends.get(key) === range.offset
      note(key, range.offset + range.length)
      const kept = blocks.find((block) => block.key === key && holds(block, range))
      if (kept !== undefined) return cut(kept, range)
      if (!goesOn || range.length >= AHEAD_BYTES) return bucket.read(key, { range })
      const object = await bucket.look(key)
      const length = Math.min(AHEAD_BYTES, (object?.bytes ?? 0) - range.offset)
      if (object === null || length < range.length) throw cutOff(key)
      const bytes = await bucket.read(key, { range: { offset: range.offset, length }, etag: object.etag })
      const block = { key, offset: range.offset, bytes }
      keep(block)
      return cut(block, range)
    },
    forget(prefix: string) {
      blocks = blocks.filter((block) => !block.key.startsWith(prefix))
      for (const key of [...ends.keys()]) if (key.startsWith(prefix)) ends.delete(key)
    },
  })
}

function holds(block: Block, range: S3Range): boolean {
  return range.offset >= block.offset && range.offset + range.length <= block.offset + block.bytes.length
}

/** A copy: a part of the block would keep all of it in memory. */
function cut(block: Block, range: S3Range): Buffer {
  const at = range.offset - block.offset
  return Buffer.from(block.bytes.subarray(at, at + range.length))
}

function cutOff(key: string): S3Failure {
  return new S3Failure('missing', `${key} is missing or cut off`, 'The object was cut off or replaced.')
}
