import { hash } from 'node:crypto'
import type { Blob } from '../blob/blob.ts'
import type { JobId } from '../domain/job.ts'
import { keyLogKey } from './intake-files.ts'

/**
 * The keys of all rows, kept on disk so that duplicates are found in flat memory: per segment one file of (hash, row, line, file), sorted into
 * 256 buckets by the hash's first byte. At the end a few buckets of all files at a time are looked through together.
 */

/** Words of 32 bits in an entry: four of the hash, the row within the segment, the line, the file. */
const WORDS = 7
const ENTRY_BYTES = WORDS * 4
const BUCKETS = 256
/** Number of the segment's first row (two words), then where each bucket begins and the last one ends. */
const HEADER_BYTES = 8 + (BUCKETS + 1) * 4
/** Entries that are looked through at once. */
const GROUP_ENTRIES = 250_000

export interface KeyLog {
  add(key: string, rowInSegment: number, line: number, file: number): void
  /** Writes what was added since the last time as the keys of one segment, and begins anew. */
  put(segmentNo: number, firstRow: number): Promise<void>
}

/** Two rows with one key. */
export interface KeyTwin {
  readonly first: KeyPlace
  readonly second: KeyPlace
}

export interface KeyPlace {
  readonly segmentNo: number
  /** Position of the row within its segment, from 0. */
  readonly rowInSegment: number
  readonly rowIndex: number
  /** 0 where the format has no lines. */
  readonly line: number
  readonly file: number
}

/** A log for the keys of `job`. */
export function createKeyLog(blob: Blob, job: JobId): KeyLog {
  let entries = new Uint32Array(1024 * WORDS)
  let count = 0
  return Object.freeze({
    add(key: string, rowInSegment: number, line: number, file: number) {
      if ((count + 1) * WORDS > entries.length) {
        const larger = new Uint32Array(entries.length * 2)
        larger.set(entries)
        entries = larger
      }
      const digest = hash('sha256', key, 'latin1')
      const at = count * WORDS
      for (let word = 0; word < 4; word++) entries[at + word] = wordOf(digest, word * 4)
      entries[at + 4] = rowInSegment
      entries[at + 5] = line
      entries[at + 6] = file
      count += 1
    },
    put(segmentNo: number, firstRow: number) {
      const file = sortedFile(entries, count, firstRow)
      count = 0
      return blob.put(keyLogKey(job, segmentNo), file)
    },
  })
}

/** Pairs of rows with one key: how many, and the first `limit` by their place. Memory: `groupEntries` entries and their table. */
export async function findTwins(
  blob: Blob,
  job: JobId,
  segments: number,
  limit: number,
  groupEntries: number = GROUP_ENTRIES,
): Promise<{ readonly count: number; readonly twins: readonly KeyTwin[] }> {
  const headers: LogHeader[] = []
  for (let segmentNo = 0; segmentNo < segments; segmentNo++) headers.push(await readHeader(blob, job, segmentNo))
  let count = 0
  let twins: KeyTwin[] = []
  for (const [from, to] of groups(headers, groupEntries)) {
    const found = twinsIn(await readGroup(blob, job, headers, from, to))
    count += found.length
    twins = [...twins, ...found].sort((a, b) => a.second.rowIndex - b.second.rowIndex).slice(0, limit)
  }
  return { count, twins }
}

interface LogHeader {
  readonly firstRow: number
  readonly starts: Uint32Array
}

interface Group {
  readonly entries: Uint32Array
  /** Segment, and the number of its first row, of the entry at each position from `from` on. */
  readonly parts: readonly { readonly from: number; readonly segmentNo: number; readonly firstRow: number }[]
}

function wordOf(digest: string, at: number): number {
  return (
    ((digest.charCodeAt(at) << 24) |
      (digest.charCodeAt(at + 1) << 16) |
      (digest.charCodeAt(at + 2) << 8) |
      digest.charCodeAt(at + 3)) >>>
    0
  )
}

function sortedFile(entries: Uint32Array, count: number, firstRow: number): Uint8Array {
  const file = new Uint8Array(HEADER_BYTES + count * ENTRY_BYTES)
  const words = new Uint32Array(file.buffer)
  const starts = new Uint32Array(BUCKETS + 1)
  for (let at = 0; at < count; at++) {
    const bucket = (entries[at * WORDS] as number) >>> 24
    starts[bucket + 1] = (starts[bucket + 1] as number) + 1
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++)
    starts[bucket + 1] = (starts[bucket + 1] as number) + (starts[bucket] as number)
  words[0] = firstRow >>> 0
  words[1] = Math.floor(firstRow / 2 ** 32)
  words.set(starts, 2)
  const next = starts.slice()
  for (let at = 0; at < count; at++) {
    const bucket = (entries[at * WORDS] as number) >>> 24
    const place = next[bucket] as number
    next[bucket] = place + 1
    words.set(entries.subarray(at * WORDS, (at + 1) * WORDS), HEADER_BYTES / 4 + place * WORDS)
  }
  return file
}

async function readHeader(blob: Blob, job: JobId, segmentNo: number): Promise<LogHeader> {
  const words = new Uint32Array(HEADER_BYTES / 4)
  Buffer.from(words.buffer).set(await blob.read(keyLogKey(job, segmentNo), { offset: 0, length: HEADER_BYTES }))
  return { firstRow: (words[0] as number) + (words[1] as number) * 2 ** 32, starts: words.subarray(2) }
}

/** Neighbouring buckets, as many as fit. */
function groups(headers: readonly LogHeader[], groupEntries: number): [number, number][] {
  const sizeOf = (bucket: number) =>
    headers.reduce((sum, { starts }) => sum + (starts[bucket + 1] as number) - (starts[bucket] as number), 0)
  const result: [number, number][] = []
  let from = 0
  let size = 0
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const more = sizeOf(bucket)
    if (size > 0 && size + more > groupEntries) {
      result.push([from, bucket])
      from = bucket
      size = 0
    }
    size += more
  }
  result.push([from, BUCKETS])
  return result
}

async function readGroup(
  blob: Blob,
  job: JobId,
  headers: readonly LogHeader[],
  from: number,
  to: number,
): Promise<Group> {
  const sizes = headers.map(({ starts }) => (starts[to] as number) - (starts[from] as number))
  const entries = new Uint32Array(sizes.reduce((sum, size) => sum + size, 0) * WORDS)
  const bytes = Buffer.from(entries.buffer)
  const parts: { from: number; segmentNo: number; firstRow: number }[] = []
  let at = 0
  for (const [segmentNo, { starts, firstRow }] of headers.entries()) {
    const size = sizes[segmentNo] as number
    if (size === 0) continue
    const offset = HEADER_BYTES + (starts[from] as number) * ENTRY_BYTES
    bytes.set(await blob.read(keyLogKey(job, segmentNo), { offset, length: size * ENTRY_BYTES }), at * ENTRY_BYTES)
    parts.push({ from: at, segmentNo, firstRow })
    at += size
  }
  return { entries, parts }
}

/** Each entry whose hash an earlier one has, with that one. */
function twinsIn({ entries, parts }: Group): KeyTwin[] {
  const count = entries.length / WORDS
  const mask = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2))) - 1
  // Open addressing; 0 is empty, else the entry's number plus one. The first word shares its high bits within a group: the second spreads.
  const table = new Uint32Array(mask + 1)
  const twins: KeyTwin[] = []
  for (let entry = 0; entry < count; entry++) {
    let slot = (entries[entry * WORDS + 1] as number) & mask
    for (;;) {
      const other = table[slot] as number
      if (other === 0) {
        table[slot] = entry + 1
        break
      }
      if (sameHash(entries, entry, other - 1)) {
        twins.push({ first: placeOf(entries, parts, other - 1), second: placeOf(entries, parts, entry) })
        break
      }
      slot = (slot + 1) & mask
    }
  }
  return twins
}

function sameHash(entries: Uint32Array, a: number, b: number): boolean {
  for (let word = 0; word < 4; word++) if (entries[a * WORDS + word] !== entries[b * WORDS + word]) return false
  return true
}

function placeOf(entries: Uint32Array, parts: Group['parts'], entry: number): KeyPlace {
  const part = parts.findLast(({ from }) => from <= entry) as Group['parts'][number]
  const at = entry * WORDS
  const rowInSegment = entries[at + 4] as number
  return {
    segmentNo: part.segmentNo,
    rowInSegment,
    rowIndex: part.firstRow + rowInSegment,
    line: entries[at + 5] as number,
    file: entries[at + 6] as number,
  }
}
