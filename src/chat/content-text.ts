import type { Message } from '../domain/request.ts'
import type { Value } from '../domain/row.ts'
import { type Fields, isFields, type Report } from './body-reader.ts'

/** A turn of a conversation as it was sent. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant'
  readonly text: string
}

/**
 * The turns of a list of messages, each as `turnOf` reads it; `null`: it reported what is wrong with it. Reports what is no list, or an empty one, by what
 * it was to be (`expected`), and what in it is no object.
 */
export function turnsIn(
  list: Value | undefined,
  { param, expected }: { readonly param: string; readonly expected: string },
  turnOf: (message: Fields, param: string) => Turn | null,
  report: Report,
): readonly Turn[] {
  if (list === undefined || list === null) {
    report('missing_required_parameter', `Missing required parameter: '${param}'.`, param)
    return []
  }
  if (!Array.isArray(list) || list.length === 0) {
    report('invalid_type', `Invalid type for '${param}': expected ${expected}.`, param)
    return []
  }
  return (list as readonly Value[]).flatMap((message, at) => {
    const place = `${param}[${at}]`
    if (isFields(message)) return turnOf(message, place) ?? []
    report('invalid_type', `Invalid type for '${place}': expected an object.`, place)
    return []
  })
}

/**
 * The text of a content: itself, or its text parts joined. Pictures, sound and files are refused. `textTypes`: what text parts call themselves.
 */
export function contentText(
  value: Value | undefined,
  param: string,
  textTypes: readonly string[],
  report: Report,
): string {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) {
    report('invalid_type', `Invalid type for '${param}': expected a string or a list of text parts.`, param)
    return ''
  }
  return (value as readonly Value[]).map((part, at) => partText(part, `${param}[${at}]`, textTypes, report)).join('')
}

function partText(part: Value, param: string, textTypes: readonly string[], report: Report): string {
  const type = isFields(part) ? part.type : null
  if (!isFields(part) || typeof type !== 'string') {
    report('invalid_type', `Invalid type for '${param}': expected an object with a type.`, param)
    return ''
  }
  if (!textTypes.includes(type)) {
    report('unsupported_content', `'${param}' is no text: this server takes text only.`, param)
    return ''
  }
  const text = part[type === 'refusal' ? 'refusal' : 'text']
  if (typeof text === 'string') return text
  report('invalid_type', `Invalid type for '${param}.text': expected a string.`, param)
  return ''
}

const ROLES: Readonly<Record<string, Turn['role']>> = Object.freeze({
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
})

/** The role of a message in our words; `null`, and a fault, for those of tools. */
export function roleOf(message: Fields, param: string, report: Report): Turn['role'] | null {
  const { role } = message
  const known = typeof role === 'string' && Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
  if (known !== undefined) return known
  const name = `${param}.role`
  report('invalid_value', `Invalid value for '${name}': expected system, developer, user or assistant.`, name)
  return null
}

/**
 * A conversation of turns: what system and developer messages say, wherever they stand, comes first; a conversation of nothing else is asked as the user's.
 * Reports one that does not end with the user, of whom an answer cannot be asked of every provider.
 */
export function conversation(
  turns: readonly Turn[],
  before: string | null,
  param: string,
  report: Report,
): { readonly system: string | null; readonly messages: readonly Message[] } {
  const said = turns.filter(({ role }) => role === 'system').map(({ text }) => text)
  const texts = before === null ? said : [before, ...said]
  const system = texts.length === 0 ? null : texts.join('\n\n')
  const messages = turns.filter((turn): turn is Message => turn.role !== 'system')
  if (messages.length === 0 && said.length > 0) {
    return { system: before, messages: [{ role: 'user', text: said.join('\n\n') }] }
  }
  if (messages.at(-1)?.role !== 'user') {
    report('invalid_value', `Invalid value for '${param}': the last message must be the user's.`, param)
  }
  return { system, messages }
}
