/** A text value as it stands in a YAML or JSON source. */
export interface ScalarSource {
  readonly style: 'literal' | 'folded' | 'double' | 'single' | 'plain'
  /** Offsets in the source: of its first character (`|`, `"`, …), and after its last. */
  readonly start: number
  readonly end: number
  /** What it was read as. */
  readonly value: string
}

/**
 * The offset in `source` of the character at `index` of a text value: indentation, escapes and folded lines are stepped over.
 * Exact for literal, quoted and plain texts, and for folded ones except inside runs of blanks.
 */
export function scalarOffset(source: string, scalar: ScalarSource, index: number): number {
  const isBlock = scalar.style === 'literal' || scalar.style === 'folded'
  const indent = isBlock ? blockIndent(source, scalar) : null
  const cursor = { at: contentStart(source, scalar), index: 0 }
  if (indent !== null) skipIndent(source, cursor, indent)
  while (cursor.index < index && cursor.at < scalar.end) step(source, scalar, cursor, indent)
  return Math.min(cursor.at, scalar.end)
}

interface Cursor {
  at: number
  index: number
}

function contentStart(source: string, scalar: ScalarSource): number {
  if (scalar.style === 'plain') return scalar.start
  if (scalar.style === 'double' || scalar.style === 'single') return scalar.start + 1
  const newline = source.indexOf('\n', scalar.start)
  return newline === -1 ? scalar.end : newline + 1
}

/** Blanks that the block takes off each line: what the first line with text has in the source, less what it kept. */
function blockIndent(source: string, scalar: ScalarSource): number {
  const blanks = (text: string) => {
    const line = text.split('\n').find((each) => each.trim() !== '') ?? ''
    return line.length - line.trimStart().length
  }
  return Math.max(0, blanks(source.slice(contentStart(source, scalar), scalar.end)) - blanks(scalar.value))
}

/** Passes the blanks at the start of a line: exactly the indent of a block, all of them in a quoted or plain text. */
function skipIndent(source: string, cursor: Cursor, indent: number | null): void {
  const limit = indent === null ? Number.POSITIVE_INFINITY : cursor.at + indent
  while (cursor.at < limit && (source[cursor.at] === ' ' || (indent === null && source[cursor.at] === '\t')))
    cursor.at++
}

function step(source: string, scalar: ScalarSource, cursor: Cursor, indent: number | null): void {
  const char = source[cursor.at]
  if (char === '\n' || (char === '\r' && source[cursor.at + 1] === '\n')) lineBreak(source, scalar, cursor, indent)
  else if (char === '\\' && scalar.style === 'double') passEscape(source, cursor)
  else if (char === "'" && scalar.style === 'single') {
    cursor.at += 2
    cursor.index += 1
  } else {
    if (char === scalar.value[cursor.index]) cursor.index++
    cursor.at++
  }
}

/** Passes one line break and, where lines are folded, those that follow it, with what the value has in their stead. */
function lineBreak(source: string, scalar: ScalarSource, cursor: Cursor, indent: number | null): void {
  let breaks = 0
  do {
    cursor.at += source[cursor.at] === '\r' ? 2 : 1
    breaks++
    skipIndent(source, cursor, indent)
  } while (scalar.style !== 'literal' && /[\r\n]/.test(source[cursor.at] ?? ''))
  for (let taken = 0; taken < breaks; taken++) {
    const char = scalar.value[cursor.index]
    if (char !== '\n' && !(char === ' ' && taken === 0)) return
    cursor.index++
    if (char === ' ') return
  }
}

function passEscape(source: string, cursor: Cursor): void {
  const kind = source[cursor.at + 1] ?? ''
  if (kind === '\n' || kind === '\r') {
    cursor.at += kind === '\r' ? 3 : 2
    skipIndent(source, cursor, null)
    return
  }
  const digits = { x: 2, u: 4, U: 8 }[kind] ?? 0
  const code = kind === 'U' ? Number.parseInt(source.slice(cursor.at + 2, cursor.at + 10), 16) : 0
  cursor.at += 2 + digits
  cursor.index += code > 0xffff ? 2 : 1
}
