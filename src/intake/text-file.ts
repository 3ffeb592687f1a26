import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SluiceError } from '../errors.ts'
import { byteOrderMark, type Encoding, firstInvalidUtf8, looksLikeUtf16, toUtf8 } from './encoding.ts'
import { BLOCK_BYTES, type FoundFile } from './input-file.ts'
import { refuseLarger } from './size-limit.ts'

/** Bytes of text that are looked at to find delimiter, header, columns and encoding. */
export const HEAD_BYTES = 256 * 1024

/** A file as UTF-8 text without byte order mark, whatever it was packed or encoded in. Offsets count bytes of that text. */
export interface TextFile {
  readonly file: FoundFile
  readonly encoding: Encoding
  /** The text's first bytes, `HEAD_BYTES` at most; valid UTF-8. */
  readonly head: Buffer
  /** The head is all there is. */
  readonly headIsAll: boolean
  /** For people. */
  readonly notes: readonly string[]
  /** The text from an offset. Packed or re-encoded text is read from its start and skipped up to there. */
  read(fromOffset: number): AsyncIterable<TextChunk>
}

export interface TextChunk {
  /** Good until the next chunk is asked for: their memory is used again. */
  readonly bytes: Buffer
  /** Bytes of the file consumed so far. */
  readonly bytesRead: number
}

/** What files begin with that are no text: their name, and what to do. */
const OTHER_FORMATS: readonly { readonly magic: readonly number[]; readonly what: string; readonly hint: string }[] = [
  {
    magic: [0x50, 0x4b, 0x03, 0x04],
    what: 'a zip archive (or an Excel workbook)',
    hint: 'Save it as CSV, or unpack it.',
  },
  { magic: [0xd0, 0xcf, 0x11, 0xe0], what: 'an old Excel workbook', hint: 'Save it as CSV.' },
  { magic: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet file', hint: 'Name it .parquet, or say input.format: parquet.' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'packed with zstd', hint: 'Unpack it, or pack it with gzip.' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'packed with xz', hint: 'Unpack it, or pack it with gzip.' },
  { magic: [0x42, 0x5a, 0x68], what: 'packed with bzip2', hint: 'Unpack it, or pack it with gzip.' },
  { magic: [0xff, 0xfe, 0x00, 0x00], what: 'encoded in UTF-32', hint: 'Save it as UTF-8.' },
]

/**
 * Opens a text file: unpacks gzip (seen by its first bytes), removes the byte order mark, finds the encoding unless `encoding` says it.
 * Throws `input_invalid` for an empty file, for what is no text, and where the head is not valid in its encoding.
 */
export async function openTextFile(file: FoundFile, encoding: Encoding | null): Promise<TextFile> {
  const raw = await readFirst(file.read(0), 16)
  const packed = raw[0] === 0x1f && raw[1] === 0x8b
  if (!packed && file.name.toLowerCase().endsWith('.gz'))
    throw invalid(file, 'is not packed with gzip, though its name says so')
  const progress = { bytes: 0 }
  const unpacked = (from: number) => (packed ? unpackedChunks(file, progress) : counted(file.read(from), progress))
  const start = packed ? await readFirst(unpacked(0), 16) : raw
  const other = OTHER_FORMATS.find(({ magic }) => magic.every((byte, at) => start[at] === byte))
  if (other !== undefined) throw invalid(file, `is ${other.what}`, other.hint)

  const mark = byteOrderMark(start)
  const found = encoding ?? mark?.encoding ?? 'utf-8'
  const skipped = mark?.encoding === found ? mark.length : 0
  const seekable = !packed && found === 'utf-8'

  async function* read(fromOffset: number): AsyncGenerator<TextChunk> {
    progress.bytes = seekable ? fromOffset + skipped : 0
    const chunks = seekable
      ? unpacked(fromOffset + skipped)
      : dropFirst(toUtf8(dropFirst(unpacked(0), skipped), found), fromOffset)
    for await (const bytes of chunks) yield { bytes, bytesRead: progress.bytes }
  }

  const head = await readFirst(bytesOf(read(0)), HEAD_BYTES + 1)
  const text: TextFile = Object.freeze({
    file,
    encoding: found,
    head: head.subarray(0, HEAD_BYTES),
    headIsAll: head.length <= HEAD_BYTES,
    notes: Object.freeze([
      ...(packed ? ['gzip'] : []),
      ...(found === 'utf-8' ? [] : [`encoding ${found}`]),
      ...(skipped > 0 ? ['byte order mark removed'] : []),
    ]),
    read,
  })
  checkHead(text)
  return text
}

/** Throws when the head shows that the file was not written in this encoding. */
function checkHead({ file, head, headIsAll, encoding }: TextFile): void {
  if (head.length === 0) throw invalid(file, 'is empty', 'It needs a header line, or rows.')
  const utf16 = encoding === 'utf-8' ? looksLikeUtf16(head) : null
  if (utf16 !== null) {
    throw invalid(
      file,
      'looks like UTF-16 without a byte order mark',
      `Say input.csv.encoding: ${utf16}, or save it as UTF-8.`,
    )
  }
  const at = firstInvalidUtf8(head, !headIsAll)
  if (at < 0) return
  const before = head.subarray(0, at)
  const line = before.toString('latin1').split('\n').length
  throw new SluiceError(
    'input_invalid',
    `${file.name}:${line} is not valid ${encoding}: byte ${at + 1} of the text is no character`,
    {
      place: { file: file.name, line, column: null },
      hint: 'If it was written in Latin-1 or windows-1252, say input.csv.encoding: latin1; else save it as UTF-8.',
    },
  )
}

function invalid(file: FoundFile, what: string, hint?: string): SluiceError {
  return new SluiceError('input_invalid', `${file.name} ${what}`, {
    place: { file: file.name, line: null, column: null },
    ...(hint === undefined ? {} : { hint }),
  })
}

async function* unpackedChunks(file: FoundFile, progress: { bytes: number }): AsyncGenerator<Buffer> {
  const unzip = createGunzip({ chunkSize: BLOCK_BYTES })
  // Errors of either stream surface where `unzip` is read.
  pipeline(Readable.from(ownBlocks(file, progress)), unzip, () => undefined)
  let bytes = 0
  try {
    for await (const block of unzip) {
      bytes += block.length
      refuseLarger(`${file.name} comes, unpacked, to`, bytes, file.unpackedBytes)
      yield block
    }
  } catch (error) {
    // What is wrong with the file itself, and not with what was in it.
    if (error instanceof SluiceError) throw error
    const { message } = error as Error
    throw new SluiceError('input_invalid', `${file.name} cannot be unpacked to its end: ${message}`, {
      place: { file: file.name, line: null, column: null },
      hint: 'The file is damaged or cut off: fetch or pack it again.',
      cause: error,
    })
  }
}

/** The packed bytes in memory of their own: a stream keeps several blocks at once. */
async function* ownBlocks(file: FoundFile, progress: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const block of file.read(0)) {
    progress.bytes += block.length
    yield Buffer.from(block)
  }
}

async function* counted(chunks: AsyncIterable<Buffer>, progress: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    progress.bytes += chunk.length
    yield chunk
  }
}

async function* dropFirst(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const chunk of chunks) {
    if (left >= chunk.length) left -= chunk.length
    else {
      yield left === 0 ? chunk : chunk.subarray(left)
      left = 0
    }
  }
}

async function* bytesOf(chunks: AsyncIterable<TextChunk>): AsyncGenerator<Buffer> {
  for await (const { bytes } of chunks) yield bytes
}

async function readFirst(chunks: AsyncIterable<Buffer>, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    parts.push(Buffer.from(chunk))
    length += chunk.length
    if (length >= bytes) break
  }
  return Buffer.concat(parts).subarray(0, bytes)
}
