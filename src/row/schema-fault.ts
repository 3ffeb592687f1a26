import type { ErrorObject } from 'ajv'
import { excerpt } from './cut.ts'
import { jsonText } from './json-text.ts'

const VALUE_CHARS = 80
const LIST_CHARS = 60

/**
 * What Ajv found, in short sentences for people and models: the field, its value, the rule. One finding for each broken alternative
 * (`anyOf`) rather than one for each of its branches. Needs Ajv's `verbose`.
 */
export function schemaFaults(errors: readonly ErrorObject[]): readonly string[] {
  const choices = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf')
  const outer = errors.filter((error) => error.keyword !== 'if' && !choices.some((choice) => isBranch(error, choice)))
  return [...new Set(outer.map((error) => sentence(error, errors)))]
}

/** Ajv reports the branches of a choice beside it: below its place in the schema, or behind a `$ref` at or below its place in the value. */
function isBranch(error: ErrorObject, choice: ErrorObject): boolean {
  if (error === choice || choice.params.passingSchemas) return false
  if (error.schemaPath.startsWith(`${choice.schemaPath}/`)) return true
  const within = error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`)
  return within && /^#\/(?:\$defs|definitions)\//.test(error.schemaPath)
}

function sentence(error: ErrorObject, all: readonly ErrorObject[]): string {
  const { keyword, params, data } = error
  const place = fieldPath(error.instancePath)
  const subject = place === '' ? 'the answer' : place
  const shown = place === '' ? subject : `${place} ${show(data)}`
  switch (keyword) {
    case 'enum':
      return `${shown} is not one of ${list(params.allowedValues as unknown[])}`
    case 'const':
      return `${shown} is not ${show(params.allowedValue)}`
    case 'type':
      return `${shown} is not ${withArticle([params.type].flat().join(' or '))}`
    case 'required':
      return `${place === '' ? '' : `${place}.`}${params.missingProperty} is missing`
    case 'additionalProperties':
      return `${place === '' ? '' : `${place}.`}${params.additionalProperty} is not a field of the schema`
    case 'unevaluatedProperties':
      return `${place === '' ? '' : `${place}.`}${params.unevaluatedProperty} is not a field of the schema`
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `${shown} is not ${params.comparison} ${params.limit}`
    case 'format':
      return `${shown} is not in the format ${params.format}`
    case 'pattern':
      return `${shown} does not match ${excerpt(String(params.pattern), LIST_CHARS)}`
    case 'anyOf':
    case 'oneOf':
      return choiceSentence(error, shown, all)
    default:
      return `${shown} ${error.message ?? `breaks the rule ${keyword}`}`
  }
}

/** A choice between one thing and null reads like the one thing. */
function choiceSentence(choice: ErrorObject, shown: string, all: readonly ErrorObject[]): string {
  if (choice.params.passingSchemas) return `${shown} fits more than one alternative`
  const branches = all.filter((error) => isBranch(error, choice) && error.params.type !== 'null')
  const [only, ...more] = branches
  return only && more.length === 0 ? sentence(only, all) : `${shown} fits none of the alternatives`
}

/** `/items/2/unit price` as `items[2].unit price`. */
function fieldPath(pointer: string): string {
  let path = ''
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path += /^\d+$/.test(name) ? `[${name}]` : path === '' ? name : `.${name}`
  }
  return path
}

function show(value: unknown): string {
  return excerpt(jsonText(value), VALUE_CHARS)
}

function withArticle(noun: string): string {
  return noun === 'null' ? noun : `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`
}

function list(values: readonly unknown[]): string {
  const names = values.map((value) => (typeof value === 'string' ? value : show(value)))
  let shown = 0
  for (let chars = 0; shown < names.length && chars <= LIST_CHARS; shown++) chars += (names[shown]?.length ?? 0) + 2
  const listed = names.slice(0, shown).join(', ')
  return shown < names.length ? `${listed}, … (${names.length})` : listed
}
