import { BadRequest, type PromptBlock } from './ask.ts'
import { isRecord, isSchema, type Schema } from './schema.ts'
import { countTokens } from './tokens.ts'

/** One message of a conversation, as far as the simulator cares. */
export interface Message {
  readonly role: string
  readonly text: string
  /** Its parts, where they differ in more than their text. */
  readonly blocks?: readonly PromptBlock[]
}

export function requiredText(body: Readonly<Record<string, unknown>>, key: string): string {
  const value = body[key]
  if (typeof value === 'string' && value !== '') return value
  throw new BadRequest(`Missing required parameter: '${key}'.`, key)
}

export function requiredList(body: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const value = body[key]
  if (Array.isArray(value) && value.length > 0) return value
  throw new BadRequest(`Missing required parameter: '${key}'.`, key)
}

/** A positive whole number, or `null` where the key is absent. */
export function optionalTokens(body: Readonly<Record<string, unknown>>, key: string): number | null {
  const value = body[key]
  if (value === undefined || value === null) return null
  if (Number.isInteger(value) && (value as number) > 0) return value as number
  throw new BadRequest(`Invalid value for '${key}': expected a whole number above 0.`, key)
}

export function refuseStreaming(body: Readonly<Record<string, unknown>>): void {
  if (body.stream === true) throw new BadRequest('The simulator does not stream.', 'stream')
}

/** The text of a message's content: a string, or a list of parts of which those with a `text` count. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (isRecord(part) && typeof part.text === 'string' ? part.text : '')).join('\n')
}

export function schemaOrRefuse(value: unknown, param: string): Schema {
  if (isSchema(value)) return value
  throw new BadRequest(`Missing required parameter: '${param}'.`, param)
}

/**
 * The text that the answer is made from (the first user message: what follows it may be a model's own words handed back)
 * and the tokens of everything that was sent for the model to read.
 */
export function weigh(messages: readonly Message[], schema: Schema | null) {
  const text = messages.find((message) => message.role === 'user')?.text ?? ''
  const schemaText = isRecord(schema) ? [JSON.stringify(schema)] : []
  const texts = [...schemaText, ...messages.map((message) => message.text)]
  const blocks = messages.flatMap(({ text, blocks = [{ text, isMarked: false }] }) => blocks)
  const prompt = [...schemaText.map((text) => ({ text, isMarked: false })), ...blocks]
  return { text, inputTokens: countTokens(...texts), prompt }
}
