import { isUtf8 } from 'node:buffer'

/** How the bytes of a text stand for characters. `latin1` is read as windows-1252, which holds all of its printable characters. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'latin1'

/** A byte that no valid UTF-8 holds: put where the source's bytes were no character, so that the line is found and refused. */
const NO_CHARACTER = Buffer.from([0xff])

/** Encoding by the byte order mark at the start of a file, and the mark's length; `null` without one. */
export function byteOrderMark(head: Uint8Array): { readonly encoding: Encoding; readonly length: number } | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { encoding: 'utf-8', length: 3 }
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', length: 2 }
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', length: 2 }
  return null
}

/** UTF-16 without a mark, seen by the zero bytes that half of its letters have, the first one too; `null` when the text does not look like it. */
export function looksLikeUtf16(head: Uint8Array): Encoding | null {
  const bigEndian = head[0] === 0
  if (bigEndian === (head[1] === 0)) return null
  let zeros = 0
  for (let at = bigEndian ? 0 : 1; at < head.length; at += 2) if (head[at] === 0) zeros += 1
  if (zeros < head.length * 0.3) return null
  return bigEndian ? 'utf-16be' : 'utf-16le'
}

/** Where the first byte stands that is part of no valid UTF-8; -1 when all are. A character cut off by the end of `bytes` is valid when `cut`. */
export function firstInvalidUtf8(bytes: Uint8Array, cut: boolean): number {
  const whole = cut ? bytes.subarray(0, bytes.length - cutOffTail(bytes)) : bytes
  if (isUtf8(whole)) return -1
  // The longest valid beginning, by halving; it may end inside of a character.
  let [valid, invalid] = [0, whole.length]
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    const part = whole.subarray(0, middle)
    if (isUtf8(part.subarray(0, middle - cutOffTail(part)))) valid = middle
    else invalid = middle
  }
  return valid - cutOffTail(whole.subarray(0, valid))
}

/** Bytes at the end of `bytes` that begin a UTF-8 character without ending it. */
export function cutOffTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0
  }
  return 0
}

/** Turns chunks of `encoding` (without its byte order mark) into UTF-8. What is no character in it becomes the byte 0xFF, never U+FFFD. */
export async function* toUtf8(chunks: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<Buffer> {
  if (encoding === 'utf-8') yield* chunks
  else if (encoding === 'latin1') yield* fromLatin1(chunks)
  else yield* fromUtf16(chunks, encoding === 'utf-16be')
}

async function* fromLatin1(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder('windows-1252')
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk))
}

async function* fromUtf16(chunks: AsyncIterable<Buffer>, bigEndian: boolean): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk])
    const whole = wholeUtf16(bytes, bigEndian)
    rest = bytes.subarray(whole)
    if (whole > 0) yield encodeUtf16(bytes.subarray(0, whole), bigEndian)
  }
  if (rest.length > 0) {
    const even = rest.length - (rest.length % 2)
    yield Buffer.concat([encodeUtf16(rest.subarray(0, even), bigEndian), ...(even < rest.length ? [NO_CHARACTER] : [])])
  }
}

/** Bytes of `bytes` up to the last whole character: a pair of units is not parted. */
function wholeUtf16(bytes: Buffer, bigEndian: boolean): number {
  const even = bytes.length - (bytes.length % 2)
  if (even < 2) return 0
  const lastUnit = bigEndian ? bytes.readUInt16BE(even - 2) : bytes.readUInt16LE(even - 2)
  return lastUnit >= 0xd800 && lastUnit < 0xdc00 ? even - 2 : even
}

function encodeUtf16(bytes: Buffer, bigEndian: boolean): Buffer {
  const text = (bigEndian ? Buffer.from(bytes).swap16() : bytes).toString('utf16le')
  if (text.isWellFormed()) return Buffer.from(text)
  const parts = text
    .split(/\p{Surrogate}/u)
    .flatMap((part, at) => (at === 0 ? [Buffer.from(part)] : [NO_CHARACTER, Buffer.from(part)]))
  return Buffer.concat(parts)
}
