import { EXCERPT_BYTES, excerptOf } from './excerpt.ts'
import { JSON_TOO_LONG, type JsonReading, jsonItem, unreadableJson } from './json-item.ts'
import type { ReaderState, RecordReader } from './record-reader.ts'
import { MAX_RECORD_BYTES, type SourceItem } from './source.ts'

/**
 * Where in the file reading stands: before the array · where an element is due · behind one · behind the array ·
 * behind something that left no way on.
 */
type Phase = 'before' | 'element' | 'behind' | 'after' | 'lost'

/** How far into an element: whether past its first byte, brackets that are open, and whether inside of a string. */
interface Nesting {
  begun: boolean
  depth: number
  inString: boolean
  escaped: boolean
}

interface ArrayState extends ReaderState {
  readonly phase: Phase
  /** The over-long element whose end is still to come. */
  readonly skipping: ({ readonly line: number; readonly excerpt: string } & Nesting) | null
}

const [LF, QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('\n"\\,[]{}') as unknown as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]

/**
 * Reads one JSON array of objects, element by element, without ever holding more than one. An element that is no object becomes an unreadable
 * item; so does whatever breaks the array itself, down to a missing end.
 */
export function createJsonArrayReader(reading: JsonReading, from: ReaderState): RecordReader {
  let { line } = from
  let { phase, skipping } = { phase: 'before', skipping: null, ...from } as ArrayState

  const refuse = (items: SourceItem[], at: number, problem: string, bytes: Buffer) =>
    items.push(unreadableJson(reading, at, problem, excerptOf(bytes)))

  /** Reads the element or the sign at `at`; where reading goes on, or -1 where more bytes are needed. */
  function step(bytes: Buffer, at: number, final: boolean, items: SourceItem[]): number {
    const byte = bytes[at]
    if (phase === 'before' && byte === OPEN) {
      phase = 'element'
      return at + 1
    }
    if (phase === 'before' || phase === 'after') {
      // The excerpt should be the same however much has been read.
      if (!final && bytes.length - at <= EXCERPT_BYTES) return -1
      refuse(
        items,
        line,
        phase === 'after' ? 'text follows the end of the array' : 'an array of objects should begin here',
        bytes.subarray(at),
      )
      phase = 'lost'
      return at
    }
    if (byte === CLOSE) {
      phase = 'after'
      return at + 1
    }
    if (byte === COMMA) {
      if (phase === 'element') refuse(items, line, 'a comma stands where an element should', bytes.subarray(at, at + 1))
      phase = 'element'
      return at + 1
    }
    return element(bytes, at, final, items)
  }

  function element(bytes: Buffer, at: number, final: boolean, items: SourceItem[]): number {
    const nesting: Nesting = { begun: false, depth: 0, inString: false, escaped: false }
    const end = endOfElement(bytes, at, nesting)
    if (end < 0 && !final) {
      if (bytes.length - at <= MAX_RECORD_BYTES) return -1
      skipping = { line, excerpt: excerptOf(bytes.subarray(at)), ...nesting }
      return bytes.length
    }
    const text = bytes.subarray(at, end < 0 ? bytes.length : end)
    if (end < 0 && (nesting.depth > 0 || nesting.inString))
      refuse(items, line, 'the file ends before this element does', text)
    else if (phase === 'behind') refuse(items, line, 'a comma is missing before this element', text)
    else items.push(jsonItem(reading, text, line, false))
    phase = 'behind'
    return at + text.length
  }

  /** Goes on over the element that is too long to be kept. */
  function skip(bytes: Buffer, final: boolean, items: SourceItem[]): number {
    if (skipping === null) return 0
    const nesting = { ...skipping }
    const end = endOfElement(bytes, 0, nesting)
    skipping = nesting
    if (end < 0 && !final) return bytes.length
    items.push(
      unreadableJson(
        reading,
        skipping.line,
        end < 0 ? 'the file ends before this element does' : JSON_TOO_LONG,
        skipping.excerpt,
      ),
    )
    skipping = null
    phase = 'behind'
    return end < 0 ? bytes.length : end
  }

  function take(bytes: Buffer, final: boolean, items: SourceItem[]): number {
    let at = skip(bytes, final, items)
    line += countLines(bytes, 0, at)
    while (skipping === null && phase !== 'lost') {
      const start = afterSpace(bytes, at)
      line += countLines(bytes, at, start)
      at = start
      if (at >= bytes.length) break
      const next = step(bytes, at, final, items)
      if (next < 0) return at
      line += countLines(bytes, at, next)
      at = next
    }
    if (phase === 'lost') at = bytes.length
    if (final && phase !== 'after' && phase !== 'lost') {
      refuse(items, line, 'the array is not closed: the file may be cut off', bytes.subarray(bytes.length))
      phase = 'lost'
    }
    return at
  }

  return Object.freeze({ take, state: (): ArrayState => ({ line, phase, skipping }) })
}

/** Behind the element that goes on at `start` as `nesting` says; -1 when the bytes end first. `nesting` is kept up to date. */
function endOfElement(bytes: Buffer, start: number, nesting: Nesting): number {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (nesting.inString) {
      stepInString(byte, nesting)
      continue
    }
    if (nesting.begun && nesting.depth === 0 && endsScalar(byte)) return at
    nesting.begun = true
    if (byte === QUOTE) nesting.inString = true
    else if (byte === OPEN || byte === OPEN_OBJECT) nesting.depth += 1
    else if ((byte === CLOSE || byte === CLOSE_OBJECT) && nesting.depth > 0) {
      nesting.depth -= 1
      if (nesting.depth === 0) return at + 1
    }
  }
  return -1
}

function stepInString(byte: number, nesting: Nesting): void {
  if (nesting.escaped) nesting.escaped = false
  else if (byte === BACKSLASH) nesting.escaped = true
  else if (byte === QUOTE) nesting.inString = false
}

/** What cannot be part of a number or word. */
function endsScalar(byte: number): boolean {
  return byte === COMMA || byte === CLOSE || byte === OPEN || byte === OPEN_OBJECT || isSpace(byte)
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09
}

function afterSpace(bytes: Buffer, from: number): number {
  let at = from
  while (at < bytes.length && isSpace(bytes[at])) at += 1
  return at
}

function countLines(bytes: Buffer, from: number, to: number): number {
  let lines = 0
  for (let at = from; at < to; at++) if (bytes[at] === LF) lines += 1
  return lines
}
