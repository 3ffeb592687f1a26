const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COLON = 0x3a

/**
 * Cuts the objects of the list that stands under `key` at the top of a JSON text out of it, as its bytes stream in: a body with a
 * hundred thousand requests is never in memory as a whole. What it yields is still to be parsed. Throws a `SyntaxError` where the text breaks off.
 */
export async function* elementsOf(body: AsyncIterable<Uint8Array>, key: string): AsyncGenerator<Buffer> {
  const scanner = createScanner(key)
  for await (const chunk of body) yield* scanner.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  if (!scanner.isWhole()) throw new SyntaxError('the JSON text breaks off')
}

/** Where a scan stands in the JSON text, between two bytes. */
interface Scan {
  depth: number
  isText: boolean
  isEscaped: boolean
  /** The last text at the top, without its quotes: a key, perhaps. */
  text: number[]
  /** That text stands before a colon, and is the key. */
  isOurs: boolean
  isInList: boolean
  hasBegun: boolean
}

/** What a byte is to the list: the first of an element, the last of one, or neither. */
type Edge = 'first' | 'last' | null

function createScanner(key: string) {
  const scan: Scan = {
    ...{ depth: 0, isText: false, isEscaped: false, text: [] },
    ...{ isOurs: false, isInList: false, hasBegun: false },
  }
  /** What of an element came with earlier chunks. */
  let earlier: Buffer[] = []
  return Object.freeze({
    push(chunk: Buffer): readonly Buffer[] {
      const found: Buffer[] = []
      let from = 0
      for (let at = 0; at < chunk.length; at += 1) {
        const edge = step(scan, chunk[at] as number, key)
        if (edge === 'first') from = at
        else if (edge === 'last') {
          found.push(Buffer.concat([...earlier, chunk.subarray(from, at + 1)]))
          earlier = []
        }
      }
      if (scan.isInList && scan.depth > 2) earlier.push(Buffer.from(chunk.subarray(from)))
      return found
    },
    isWhole: () => scan.hasBegun && scan.depth === 0 && !scan.isText,
  })
}

function step(scan: Scan, byte: number, key: string): Edge {
  if (scan.isText) stepInText(scan, byte)
  else if (byte === QUOTE) {
    scan.isText = true
    if (scan.depth === 1) scan.text = []
  } else if (byte === COLON && scan.depth === 1) scan.isOurs = Buffer.from(scan.text).toString() === key
  else if (byte === OPEN_OBJECT || byte === OPEN_LIST) return opened(scan, byte)
  else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
    scan.depth -= 1
    return scan.depth === 2 && scan.isInList ? 'last' : null
  }
  return null
}

function stepInText(scan: Scan, byte: number): void {
  if (scan.isEscaped) scan.isEscaped = false
  else if (byte === BACKSLASH) scan.isEscaped = true
  else if (byte === QUOTE) scan.isText = false
  if (scan.isText && scan.depth === 1) scan.text.push(byte)
}

function opened(scan: Scan, byte: number): Edge {
  if (scan.depth === 1) scan.isInList = scan.isOurs && byte === OPEN_LIST
  scan.hasBegun = true
  scan.depth += 1
  return scan.depth === 3 && scan.isInList ? 'first' : null
}
