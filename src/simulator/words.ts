/** Where a word stands in a text: how often, and where first (`-1`: nowhere). */
export interface Standing {
  readonly count: number
  readonly first: number
}

const NOWHERE: Standing = Object.freeze({ count: 0, first: -1 })
const ENDINGS = /^(?:e|s|es|d|ed|er|ers|ing|ings|y|ies|ly|ee|ees|ation|ations|'s|’s)$/
const STEMMED = /(?:ings?|ees?|ies|ed|es|e|s|y)$/
const LATIN = /^[\p{Script=Latin}\p{N}]/u

/** The words of a name or a value: `lost_or_stolen-card`, `lostCard` and "lost card" alike, in lower case. */
export function wordsOf(name: string): readonly string[] {
  return name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}']+/u)
    .filter((word) => word !== '')
}

/** The part of a word that its forms share: billing, bills and billed are all `bill`. Short words stay as they are. */
export function stemOf(word: string): string {
  const stem = word.replace(STEMMED, '')
  return stem.length >= 3 ? stem : word
}

/**
 * Where a form of the word with this `stem` stands in `lower`, a text in lower case. Latin words begin and end at a
 * letter's edge, so that `log` is not found in "catalogue"; scripts without spaces are searched as they are.
 */
export function standing(lower: string, stem: string): Standing {
  let at = lower.indexOf(stem)
  if (at < 0) return NOWHERE
  const latin = LATIN.test(stem)
  let count = 0
  let first = -1
  for (; at >= 0; at = lower.indexOf(stem, at + stem.length)) {
    if (latin && !isForm(lower, at, stem.length)) continue
    count += 1
    if (first < 0) first = at
  }
  return count === 0 ? NOWHERE : { count, first }
}

function isForm(lower: string, at: number, length: number): boolean {
  if (at > 0 && isLetter(lower, at - 1)) return false
  let end = at + length
  while (end < lower.length && end - at - length <= 7 && isLetter(lower, end)) end += 1
  // A consonant may be doubled before the ending: logging, buggy.
  const doubled = end - at > length + 1 && lower[at + length] === lower[at + length - 1] ? 1 : 0
  return end === at + length || ENDINGS.test(lower.slice(at + length + doubled, end))
}

function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57)
  return /\p{L}/u.test(text.charAt(at))
}
