import { standing, stemOf, wordsOf } from './words.ts'

const WORDS = 14
const SENTENCE = 30
/** A paragraph of no more words is a heading. */
const HEADING = 8
const PROPER = /\p{Lu}[\p{L}\p{N}&'’-]*(?:[ ](?:(?:of|and|&|de|van|von)[ ])?\p{Lu}[\p{L}\p{N}&'’-]*)*/u
const NAMED = /(?:^|_|\b)(?:name|company|organisation|organization|brand)$/i

const PLACE = new RegExp(`\\p{L}[ ](${PROPER.source}),[ ](${PROPER.source})`, 'u')
const CITY = /(?:^|_|\b)(?:city|town|place|location|seat|headquarters)$/i
const COUNTRY = /(?:^|_|\b)country$/i

/**
 * Words of `text` that have to do with a field called `name`: a proper name for a name or a place, else the sentence in
 * which the field's word stands, else the beginning. One line, a dozen words.
 */
export function excerpt(text: string, name: string): string {
  const proper = properName(text, name)
  if (proper !== undefined) return proper.replace(/[.'’-]+$/u, '')
  return firstWords(sentenceAbout(text, name), WORDS)
}

/** The first sentence of the first paragraph that is more than a heading. */
export function firstSentence(text: string): string {
  const paragraph = text.split(/\n\s*\n/).find((part) => part.trim().split(/\s+/, HEADING + 1).length > HEADING) ?? text
  const end = /[.!?。！？](?=\s|$)/u.exec(paragraph.trim())
  return firstWords(end === null ? paragraph : paragraph.trim().slice(0, end.index + 1), SENTENCE)
}

function firstWords(text: string, count: number): string {
  const words = text.trim().split(/\s+/, count + 1)
  return words.slice(0, count).join(' ') + (words.length > count ? '…' : '') || 'no text was given'
}

function properName(text: string, name: string): string | undefined {
  if (NAMED.test(name)) return PROPER.exec(text)?.[0]
  if (CITY.test(name)) return PLACE.exec(text)?.[1]
  return COUNTRY.test(name) ? PLACE.exec(text)?.[2] : undefined
}

function sentenceAbout(text: string, name: string): string {
  const lower = text.toLowerCase()
  for (const word of wordsOf(name)) {
    // Lower case may be longer than the text it comes from; the place is then a little off, which no reader minds.
    const at = word.length < 3 ? -1 : standing(lower, stemOf(word)).first
    if (at > 0) return text.slice(sentenceStart(text, at))
  }
  return text.trimStart()
}

function sentenceStart(text: string, at: number): number {
  const before = text.slice(Math.max(0, at - 400), at)
  const end = /[.!?\n](?=[^.!?\n]*$)/.exec(before)
  const start = end === null ? at - before.length : at - before.length + end.index + 1
  return start + (/^\s*/.exec(text.slice(start))?.[0].length ?? 0)
}
