import type { Ask, Finish } from './ask.ts'
import { type Draw, drawsOf } from './draw.ts'
import { firstSentence } from './excerpt.ts'
import type { Fault } from './fault.ts'
import { valueBySchema } from './schema-value.ts'
import { malformed, misfit } from './spoil.ts'
import { MARK } from './string-value.ts'
import { countTokens, firstTokens } from './tokens.ts'

export interface Composed {
  readonly text: string
  readonly finish: Finish
  readonly outputTokens: number
}

/**
 * What is said to an ask, with the fault that struck it worked in. The answer follows from the seed and the text alone: the
 * same question is answered alike by every provider's shape, and again after a retry. Throws `Unanswerable`.
 */
export function composeAnswer(ask: Ask, fault: Fault | null, seed: number, spoil: () => Draw): Composed {
  if (fault === 'refusal') return ended(`${MARK}I'm very sorry, but I can't assist with that.`, 'refusal')
  const whole = ask.schema === null ? freeText(ask) : structured(ask, fault, seed, spoil)
  if (fault === 'content_filter') return ended(firstTokens(whole, 2), 'content_filter')
  const room = ask.maxOutputTokens ?? Number.POSITIVE_INFINITY
  const length = countTokens(whole)
  if (fault === 'truncated') return ended(firstTokens(whole, Math.min(room, Math.floor(length / 2))), 'length')
  return length > room
    ? ended(firstTokens(whole, room), 'length')
    : { text: whole, finish: 'stop', outputTokens: length }
}

function ended(text: string, finish: Finish): Composed {
  return { text, finish, outputTokens: countTokens(text) }
}

function freeText(ask: Ask): string {
  return `${MARK}${firstSentence(ask.text)}`
}

function structured(ask: Ask, fault: Fault | null, seed: number, spoil: () => Draw): string {
  const schema = ask.schema === null || ask.schema === true ? ANY_ANSWER : ask.schema
  const value = valueBySchema(schema, {
    text: ask.text,
    lower: ask.text.toLowerCase(),
    draw: drawsOf(seed, ask.text),
  })
  if (fault === 'malformed') return malformed(JSON.stringify(value), spoil())
  if (fault === 'schema_missing') return JSON.stringify(misfit(value, schema, spoil()) ?? value)
  return JSON.stringify(value)
}

/** What is answered where JSON is asked for without a schema. */
const ANY_ANSWER = Object.freeze({
  type: 'object',
  properties: { answer: { type: 'string' } },
  required: ['answer'],
})
