import { type Draw, pick } from './draw.ts'
import { standing, stemOf, wordsOf } from './words.ts'

/** How well a value fits a text; compared in this order. */
interface Fit {
  readonly share: number
  readonly count: number
  readonly first: number
}

const NO_FIT: Fit = Object.freeze({ share: 0, count: 0, first: Number.POSITIVE_INFINITY })

/** What a person writes instead of the value's own word. Only asked where no value's own word stands in the text. */
const KIN: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    billing: ['invoice', 'charge', 'payment', 'paid', 'price', 'subscription', 'vat'],
    login: ['password', 'locked', 'sign', 'log', 'authenticator', 'sso'],
    bug: ['crash', 'error', 'broken', 'freeze', 'fails', 'blank', 'wrong'],
    refund: ['reimburse', 'money'],
    negative: [
      'angry',
      'broken',
      'crash',
      'fails',
      'lost',
      'twice',
      'wrong',
      'unusable',
      'locked',
      'annoying',
      'disappointed',
    ],
    positive: ['thanks', 'thank', 'great', 'love', 'lovely', 'perfect', 'happy'],
    urgent: ['asap', 'immediately', 'urgently', 'deadline', 'tonight', 'outage', 'blocked'],
  }).map(([value, kin]) => [value, kin.map(stemOf)]),
)

/** Values that stand for "nothing of the above": never searched for, taken where nothing else fits. */
const RESERVES = new Set(['other', 'others', 'none', 'neutral', 'unknown', 'misc', 'miscellaneous', 'n/a', 'na'])
/** Words of a value that say nothing about what it stands for. */
const FILLERS = new Set([
  'a',
  'an',
  'the',
  'or',
  'and',
  'of',
  'to',
  'for',
  'in',
  'on',
  'by',
  'my',
  'is',
  'not',
  'get',
  'why',
  'how',
])

/**
 * Those of `values` whose word stands in the text, best first: by the share of the value's words that stand there, then by
 * how often, then by which comes first. Where no value's own word does, its kin are looked for.
 */
export function valuesInText(values: readonly unknown[], lower: string): readonly unknown[] {
  const own = ranked(values, (value) => fitOf(stemsOf(value), lower))
  if (own.length > 0) return own
  return ranked(values, (value) => kinFit(value, lower))
}

/** The value that fits the text best; else the one that means "other"; else any, by the draw. */
export function pickValue(values: readonly unknown[], lower: string, draw: Draw): unknown {
  const [best] = valuesInText(values, lower)
  if (best !== undefined) return best
  const reserve = values.find((value) => typeof value === 'string' && RESERVES.has(value.toLowerCase()))
  return reserve ?? pick(draw, values)
}

/** Whether a word of `name`, or one of its kin, stands in the text; `null` where nothing is known about the name. */
export function nameInText(name: string, lower: string): boolean | null {
  if (fitOf(stemsOf(name), lower).share > 0) return true
  if (!KIN.has(name.toLowerCase())) return null
  return kinFit(name, lower).count > 0
}

function ranked(values: readonly unknown[], fitness: (value: unknown) => Fit): readonly unknown[] {
  return values
    .map((value) => ({ value, fit: fitness(value) }))
    .filter((entry) => entry.fit.count > 0)
    .sort((a, b) => b.fit.share - a.fit.share || b.fit.count - a.fit.count || a.fit.first - b.fit.first)
    .map((entry) => entry.value)
}

/** Values come again with every row: their stems are kept, up to a bound. */
const kept = new Map<string, readonly string[]>()
const KEPT_MAX = 20_000

function stemsOf(value: unknown): readonly string[] {
  const text = String(value)
  const known = kept.get(text)
  if (known !== undefined) return known
  const words = RESERVES.has(text.toLowerCase()) ? [] : wordsOf(text)
  const telling = words.filter((word) => !FILLERS.has(word))
  const stems = (telling.length > 0 ? telling : words).map(stemOf)
  if (kept.size >= KEPT_MAX) kept.clear()
  kept.set(text, stems)
  return stems
}

/** Kin are alternatives: how many of them stand there says nothing, so that only number and place count. */
function kinFit(value: unknown, lower: string): Fit {
  const kin = KIN.get(String(value).toLowerCase())
  const fit = kin === undefined ? NO_FIT : fitOf(kin, lower)
  return fit.count === 0 ? NO_FIT : { ...fit, share: 1 }
}

function fitOf(stems: readonly string[], lower: string): Fit {
  let found = 0
  let count = 0
  let first = Number.POSITIVE_INFINITY
  for (const stem of stems) {
    const place = standing(lower, stem)
    if (place.count === 0) continue
    found += 1
    count += place.count
    first = Math.min(first, place.first)
  }
  return found === 0 ? NO_FIT : { share: found / stems.length, count, first }
}
