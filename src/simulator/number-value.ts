import type { Draw } from './draw.ts'
import { numberOf, type SchemaObject, Unanswerable } from './schema.ts'
import { standing, stemOf, wordsOf } from './words.ts'

/** The span that is drawn from on a side where the schema gives no bound. */
const SPAN = 100
const TRIES = 200
const FIGURE = /(?<![\p{L}\p{N}.])-?\d{1,3}(?:[,\u202f']\d{3})+(?:\.\d+)?|(?<![\p{L}\p{N}.])-?\d+(?:\.\d+)?/gu

/** Models that are asked how sure they are say that they are rather sure. */
const CONFIDENT = /confiden|certain|probab/i

/**
 * A number that `schema` allows: the figure of the text that stands nearest to the field's name where one fits the bounds,
 * else one drawn within them. Shares (0..1) and the like are always drawn: no text writes them.
 */
export function numberValue(schema: SchemaObject, integer: boolean, name: string, text: string, draw: Draw): number {
  const whole = rangeOf(schema, integer)
  const range = CONFIDENT.test(name) ? { ...whole, low: whole.low + (whole.high - whole.low) / 2 } : whole
  const fits = (value: number) => allows(schema, integer, value)
  if (range.high - range.low > 1) {
    const figure = nearestFigure(text, name, fits)
    if (figure !== null) return figure
  }
  for (let tries = 0; tries < TRIES; tries += 1) {
    const value = drawn(range, draw)
    if (fits(value)) return value
  }
  const exact = whole.low + (whole.high - whole.low) / 2
  if (fits(exact)) return exact
  throw new Unanswerable('no number was found within its bounds')
}

interface Range {
  readonly low: number
  readonly high: number
  /** Values are multiples of it; 0: any. */
  readonly step: number
}

function rangeOf(schema: SchemaObject, integer: boolean): Range {
  const least = Math.max(numberOf(schema, 'minimum', -Infinity), numberOf(schema, 'exclusiveMinimum', -Infinity))
  const most = Math.min(numberOf(schema, 'maximum', Infinity), numberOf(schema, 'exclusiveMaximum', Infinity))
  const step = numberOf(schema, 'multipleOf', integer ? 1 : 0)
  const span = SPAN * Math.max(step, 1)
  if (least > most) throw new Unanswerable(`its minimum ${least} is more than its maximum ${most}`)
  if (least === -Infinity && most === Infinity) return { low: 0, high: span, step }
  if (least === -Infinity) return { low: most - span, high: most, step }
  return { low: least, high: most === Infinity ? least + span : most, step }
}

function drawn(range: Range, draw: Draw): number {
  const raw = range.low + draw() * (range.high - range.low)
  if (range.step > 0) {
    const value = Math.round(raw / range.step) * range.step
    return Number(value.toPrecision(15))
  }
  const rounded = Math.round(raw * 100) / 100
  return rounded >= range.low && rounded <= range.high ? rounded : raw
}

function allows(schema: SchemaObject, integer: boolean, value: number): boolean {
  const step = numberOf(schema, 'multipleOf', 0)
  return (
    (!integer || Number.isInteger(value)) &&
    value >= numberOf(schema, 'minimum', -Infinity) &&
    value > numberOf(schema, 'exclusiveMinimum', -Infinity) &&
    value <= numberOf(schema, 'maximum', Infinity) &&
    value < numberOf(schema, 'exclusiveMaximum', Infinity) &&
    (step <= 0 || Number.isInteger(value / step))
  )
}

function nearestFigure(text: string, name: string, fits: (value: number) => boolean): number | null {
  const lower = text.toLowerCase()
  const places = wordsOf(name).map((word) => (word.length < 3 ? -1 : standing(lower, stemOf(word)).first))
  const centre = places.find((place) => place >= 0) ?? 0
  let best: number | null = null
  let nearest = Number.POSITIVE_INFINITY
  for (const match of text.matchAll(FIGURE)) {
    const value = Number(match[0].replace(/[,\u202f']/g, ''))
    const distance = Math.abs(match.index - centre)
    if (distance >= nearest || !fits(value)) continue
    best = value
    nearest = distance
  }
  return best
}
