import { isUtf8 } from 'node:buffer'
import { excerptOf } from './excerpt.ts'
import { JSON_TOO_LONG, type JsonReading, jsonItem, unreadableJson } from './json-item.ts'
import { LF, type LineSlot, scanLine } from './line-scan.ts'
import type { ReaderState, RecordReader } from './record-reader.ts'
import { MAX_RECORD_BYTES, type SourceItem } from './source.ts'

/** Beside what every reader knows: the over-long line whose end is still to come. */
interface LinesState extends ReaderState {
  readonly empty: number
  readonly skipping: string | null
}

/** Reads JSON lines: one object a line. A line that is none becomes an unreadable item; lines of white space are skipped and counted. */
export function createJsonLinesReader(reading: JsonReading, from: ReaderState): RecordReader {
  const slot: LineSlot = { end: 0, next: 0 }
  let { line } = from
  let { empty, skipping } = { empty: 0, skipping: null, ...from } as LinesState

  /** A file may be millions of empty lines: one costs no search for its end. */
  function afterEmptyLines(bytes: Buffer, from: number): number {
    let at = from
    while (skipping === null && bytes[at] === LF) at += 1
    empty += at - from
    line += at - from
    return at
  }

  function take(bytes: Buffer, final: boolean, items: SourceItem[]): number {
    const valid = isUtf8(bytes.subarray(0, final ? bytes.length : bytes.lastIndexOf(LF) + 1))
    let at = 0
    for (;;) {
      at = afterEmptyLines(bytes, at)
      if ((at >= bytes.length && skipping === null) || !scanLine(bytes, at, final, LF, slot)) break
      if (skipping !== null) items.push(unreadableJson(reading, line, JSON_TOO_LONG, skipping))
      else if (isBlank(bytes, at, slot.end)) empty += 1
      else items.push(jsonItem(reading, bytes.subarray(at, slot.end), line, valid))
      skipping = null
      line += 1
      at = slot.next
    }
    // A last byte that may be the CR of a CRLF stays, for the next block to tell.
    if (skipping !== null) return Math.max(0, bytes.length - 1)
    if (bytes.length - at <= MAX_RECORD_BYTES) return at
    skipping = excerptOf(bytes.subarray(at))
    return bytes.length - 1
  }

  return Object.freeze({ take, state: (): LinesState => ({ line, empty, skipping }) })
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false
  }
  return true
}
