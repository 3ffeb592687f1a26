import { between, type Draw, pick } from './draw.ts'
import { Unanswerable } from './schema.ts'

/** A parsed piece of a regular expression that can write a text of its own. */
type Piece = (draw: Draw) => string

const PRINTABLE = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
const CLASSES: Readonly<Record<string, (char: string) => boolean>> = {
  d: (char) => /\d/.test(char),
  D: (char) => /\D/.test(char),
  w: (char) => /\w/.test(char),
  W: (char) => /\W/.test(char),
  s: (char) => /\s/.test(char),
  S: (char) => /\S/.test(char),
}
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v', 0: '\0' }
/** `*` and `+` write at most this many more than they must. */
const SPREAD = 4

/**
 * A way to write texts that match `pattern` (literals, classes, groups, choices and quantifiers; anchors match by themselves).
 * Throws `Unanswerable` for what cannot be written forward: references back, look-around, property escapes.
 */
export function writerOf(pattern: string): Piece {
  const at = { index: 0 }
  const piece = parseChoice(pattern, at)
  if (at.index < pattern.length) refuse(pattern)
  return piece
}

interface Cursor {
  index: number
}

function parseChoice(source: string, at: Cursor): Piece {
  const branches = [parseSequence(source, at)]
  while (source[at.index] === '|') {
    at.index += 1
    branches.push(parseSequence(source, at))
  }
  return branches.length === 1 ? (branches[0] as Piece) : (draw) => pick(draw, branches)(draw)
}

function parseSequence(source: string, at: Cursor): Piece {
  const pieces: Piece[] = []
  while (at.index < source.length && source[at.index] !== '|' && source[at.index] !== ')') {
    pieces.push(parseQuantified(source, at))
  }
  return (draw) => pieces.map((piece) => piece(draw)).join('')
}

function parseQuantified(source: string, at: Cursor): Piece {
  const piece = parseAtom(source, at)
  const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(source.slice(at.index))
  if (quantifier === null) return piece
  at.index += quantifier[0].length
  const [low, high] = timesOf(quantifier[0])
  return (draw) => Array.from({ length: between(draw, low, high) }, () => piece(draw)).join('')
}

function timesOf(quantifier: string): readonly [number, number] {
  if (quantifier[0] === '*') return [0, SPREAD]
  if (quantifier[0] === '+') return [1, 1 + SPREAD]
  if (quantifier[0] === '?') return [0, 1]
  const [low, high] = quantifier.replace(/[{}?]/g, '').split(',')
  if (high === undefined) return [Number(low), Number(low)]
  return [Number(low), high === '' ? Number(low) + SPREAD : Number(high)]
}

function parseAtom(source: string, at: Cursor): Piece {
  const char = source[at.index] as string
  at.index += 1
  if (char === '^' || char === '$') return () => ''
  if (char === '.') return oneOf(PRINTABLE)
  if (char === '(') return parseGroup(source, at)
  if (char === '[') return parseSet(source, at)
  if (char === '\\') return parseEscape(source, at)
  if ('*+?{'.includes(char)) refuse(source)
  const point = String.fromCodePoint(source.codePointAt(at.index - 1) as number)
  at.index += point.length - 1
  return () => point
}

function parseGroup(source: string, at: Cursor): Piece {
  const opening = /^\?(?::|<[A-Za-z_$][\w$]*>)/.exec(source.slice(at.index))
  if (opening !== null) at.index += opening[0].length
  else if (source[at.index] === '?') refuse(source)
  const piece = parseChoice(source, at)
  if (source[at.index] !== ')') refuse(source)
  at.index += 1
  return piece
}

function parseEscape(source: string, at: Cursor): Piece {
  const char = source[at.index] ?? refuse(source)
  if (char === 'b') {
    at.index += 1
    return () => ''
  }
  return oneOf(escapedChars(source, at))
}

/** The characters that an escape stands for; `at` is behind the backslash. */
function escapedChars(source: string, at: Cursor): readonly string[] {
  const char = source[at.index] ?? refuse(source)
  at.index += 1
  const inClass = CLASSES[char]
  if (inClass !== undefined) return PRINTABLE.filter(inClass)
  if (char === 'u' || char === 'x') return [hexEscape(source, at, char === 'u' ? 4 : 2)]
  if (/[1-9kpPBc]/.test(char)) refuse(source)
  return [CONTROLS[char] ?? char]
}

function hexEscape(source: string, at: Cursor, digits: number): string {
  const hex = source.slice(at.index, at.index + digits)
  if (!/^[0-9a-f]+$/i.test(hex) || hex.length < digits) refuse(source)
  at.index += digits
  return String.fromCharCode(Number.parseInt(hex, 16))
}

function parseSet(source: string, at: Cursor): Piece {
  const negated = source[at.index] === '^'
  if (negated) at.index += 1
  const chars = new Set<string>()
  while (source[at.index] !== ']') {
    if (at.index >= source.length) refuse(source)
    const low = setChars(source, at)
    const isRange = low.length === 1 && source[at.index] === '-' && source[at.index + 1] !== ']'
    if (!isRange) {
      for (const char of low) chars.add(char)
      continue
    }
    at.index += 1
    for (const char of rangeOf(low, setChars(source, at), source)) chars.add(char)
  }
  at.index += 1
  return oneOf(negated ? PRINTABLE.filter((char) => !chars.has(char)) : [...chars])
}

function setChars(source: string, at: Cursor): readonly string[] {
  const char = String.fromCodePoint(source.codePointAt(at.index) ?? refuse(source))
  at.index += char.length
  return char === '\\' ? escapedChars(source, at) : [char]
}

/** Long ranges of letters give their first ones: enough to write with. */
function rangeOf(low: readonly string[], high: readonly string[], source: string): readonly string[] {
  if (low.length !== 1 || high.length !== 1) refuse(source)
  const from = (low[0] as string).codePointAt(0) as number
  const to = (high[0] as string).codePointAt(0) as number
  return Array.from({ length: Math.max(0, Math.min(to - from + 1, 256)) }, (_, n) => String.fromCodePoint(from + n))
}

function oneOf(chars: readonly string[]): Piece {
  if (chars.length === 0) throw new Unanswerable('a character class of its pattern is empty')
  return (draw) => pick(draw, chars)
}

function refuse(pattern: string): never {
  throw new Unanswerable(`the pattern ${JSON.stringify(pattern)} is more than the simulator can write`)
}
