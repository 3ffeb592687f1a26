import { between, type Draw } from './draw.ts'
import { excerpt } from './excerpt.ts'
import { writerOf } from './pattern.ts'
import { numberOf, type SchemaObject, Unanswerable } from './schema.ts'

/** What every free text of the simulator begins with, wherever its schema leaves room for it. */
export const MARK = '[simulated] '
/** A text that must be shorter than this has no room for the mark and a word. */
const ROOM_FOR_MARK = 20
const TRIES = 60

/**
 * A text that `schema` allows: one that its pattern or format asks for, else words of the source's text near the field's
 * name, behind the mark. Lengths are in code points, as JSON Schema counts them.
 */
export function stringValue(schema: SchemaObject, name: string, text: string, draw: Draw): string {
  const low = numberOf(schema, 'minLength', 0)
  const high = numberOf(schema, 'maxLength', Number.POSITIVE_INFINITY)
  if (low > high) throw new Unanswerable(`minLength ${low} is more than maxLength ${high}`)
  if (typeof schema.pattern === 'string') return byPattern(schema.pattern, low, high, text, draw)
  const formatted = typeof schema.format === 'string' ? byFormat(schema.format, text, draw) : null
  if (formatted !== null) return withinOrRefuse(formatted, low, high, `format ${String(schema.format)}`)
  return padded(cut(marked(excerpt(text, name), high), high), low)
}

function marked(words: string, high: number): string {
  return high < ROOM_FOR_MARK ? words : `${MARK}${words}`
}

/** The first `high` code points of `text`. */
function cut(text: string, high: number): string {
  return text.length <= high ? text : Array.from(text).slice(0, high).join('')
}

function padded(text: string, low: number): string {
  const missing = text.length >= low * 2 ? 0 : low - Array.from(text).length
  return missing <= 0 ? text : text + '.'.repeat(missing)
}

function byPattern(pattern: string, low: number, high: number, text: string, draw: Draw): string {
  const expression = compile(pattern)
  const fits = (value: string) => lengthWithin(value, low, high) && expression.test(value)
  const found = findInText(pattern, text)
  if (found !== null && fits(found)) return found
  const write = writerOf(pattern)
  for (let tries = 0; tries < TRIES; tries += 1) {
    const value = write(draw)
    if (fits(value)) return value
    const longer = padded(value, low)
    if (longer !== value && fits(longer)) return longer
  }
  throw new Unanswerable(`no text was found for the pattern ${JSON.stringify(pattern)} within its lengths`)
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    throw new Unanswerable(`the pattern ${JSON.stringify(pattern)} is not a regular expression`)
  }
}

/** What the text itself has for an anchored pattern, such as an order number. */
function findInText(pattern: string, text: string): string | null {
  const inner = /^\^(.*[^\\])\$$/.exec(pattern)?.[1]
  if (inner === undefined || inner.includes('|')) return null
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${inner})(?![\\p{L}\\p{N}])`, 'u').exec(text)?.[0] || null
}

const IN_TEXT: Readonly<Record<string, RegExp>> = {
  email: /[a-z0-9][\w.+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/i,
  uri: /https?:\/\/[\w.-]+\.[a-z]{2,}(?:\/[\w./-]*)?/i,
  date: /\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b/,
}

function byFormat(format: string, text: string, draw: Draw): string | null {
  return IN_TEXT[format]?.exec(text)?.[0] ?? FORMATS[format]?.(draw) ?? null
}

const two = (draw: Draw, low: number, high: number) => String(between(draw, low, high)).padStart(2, '0')
const hex = (draw: Draw, digits: number) =>
  Array.from({ length: digits }, () => between(draw, 0, 15).toString(16)).join('')
const date = (draw: Draw) => `20${two(draw, 10, 29)}-${two(draw, 1, 12)}-${two(draw, 1, 28)}`
const time = (draw: Draw) => `${two(draw, 0, 23)}:${two(draw, 0, 59)}:${two(draw, 0, 59)}Z`
const octet = (draw: Draw) => String(between(draw, 1, 254))

/** Made-up values of the formats that JSON Schema names, in the ranges reserved for examples. Others are plain texts. */
const FORMATS: Readonly<Record<string, (draw: Draw) => string>> = {
  date,
  time,
  'date-time': (draw) => `${date(draw)}T${time(draw)}`,
  duration: (draw) => `P${between(draw, 1, 30)}D`,
  email: (draw) => `simulated-${between(draw, 1, 999)}@example.com`,
  'idn-email': (draw) => `simulated-${between(draw, 1, 999)}@example.com`,
  hostname: (draw) => `simulated-${between(draw, 1, 999)}.example.com`,
  'idn-hostname': (draw) => `simulated-${between(draw, 1, 999)}.example.com`,
  ipv4: (draw) => `192.0.2.${octet(draw)}`,
  ipv6: (draw) => `2001:db8::${between(draw, 1, 9999)}`,
  uri: (draw) => `https://example.com/simulated/${between(draw, 1, 999)}`,
  iri: (draw) => `https://example.com/simulated/${between(draw, 1, 999)}`,
  'uri-reference': (draw) => `/simulated/${between(draw, 1, 999)}`,
  url: (draw) => `https://example.com/simulated/${between(draw, 1, 999)}`,
  'json-pointer': (draw) => `/simulated/${between(draw, 1, 999)}`,
  uuid: (draw) => `${hex(draw, 8)}-${hex(draw, 4)}-4${hex(draw, 3)}-8${hex(draw, 3)}-${hex(draw, 12)}`,
}

function withinOrRefuse(value: string, low: number, high: number, what: string): string {
  if (lengthWithin(value, low, high)) return value
  throw new Unanswerable(`${what} does not go with its lengths`)
}

function lengthWithin(value: string, low: number, high: number): boolean {
  const length = Array.from(value).length
  return length >= low && length <= high
}
