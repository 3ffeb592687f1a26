import type { JsonSchema } from '../domain/request.ts'
import { didYouMean } from './nearest.ts'
import { formatPath, type Path, type Report } from './positions.ts'
import { showValue } from './secret.ts'

/**
 * The short form of an output schema, as docs/spec.md gives it:
 *
 *     fields := { name: field, … }                       every field is required, no other is allowed
 *     field  := text | fields | [ field ]                [ field ] is a list of them
 *     text   := type ( "[]" | "?" )*                     "[]" a list of them, "?" or null
 *     type   := "string" | "boolean" | ( "number" | "integer" ) range? | "enum[" value ( "," value )* "]"
 *     range  := "(" bound? ".." bound? ")"               both ends included
 *     value  := bare text | "…" | '…'                    quoted where it holds a comma, a bracket or a quote
 */
export function schemaFromFields(fields: Readonly<Record<string, unknown>>, path: Path, report: Report): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  for (const [name, field] of Object.entries(fields)) {
    // A field that cannot be read keeps its name, so that nothing else seems wrong for its sake.
    properties[name] = fieldSchema(field, [...path, name], report) ?? {}
  }
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

function fieldSchema(field: unknown, path: Path, report: Report): JsonSchema | null {
  if (typeof field === 'string') {
    const parsed = parseShortForm(field)
    if (!('message' in parsed)) return parsed.schema
    report.error(path, `${formatPath(path)}: ${parsed.message}`, parsed.hint)
    return null
  }
  if (Array.isArray(field)) {
    const [item] = field
    if (field.length === 1 && (typeof item !== 'string' || 'schema' in parseShortForm(item))) {
      const items = fieldSchema(item, [...path, 0], report)
      return items === null ? null : { type: 'array', items }
    }
    const values = field.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    report.error(
      path,
      `${formatPath(path)}: a list holds one short form, the kind of its items`,
      `For a choice write enum[${values.join(', ')}].`,
    )
    return null
  }
  if (typeof field === 'object' && field !== null)
    return schemaFromFields(field as Record<string, unknown>, path, report)
  report.error(path, `${formatPath(path)} must be a short form such as string or enum[a, b], got ${showValue(field)}`)
  return null
}

interface Wrong {
  readonly message: string
  readonly hint: string | null
}

const TYPES = ['string', 'number', 'integer', 'boolean', 'enum']

/** What people write for the types, where no edit distance would find it. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  str: 'string',
  text: 'string',
  date: 'string',
  int: 'integer',
  long: 'integer',
  float: 'number',
  double: 'number',
  decimal: 'number',
  bool: 'boolean',
  choice: 'enum[a, b]',
  array: 'string[]',
  list: 'string[]',
  enum: 'enum[a, b]',
}

/** One short form (`enum[a, b]?`, `number(0..1)`, `string[]`) as a JSON Schema, or what is wrong with it. */
export function parseShortForm(text: string): { readonly schema: JsonSchema } | Wrong {
  const match = /^\s*([A-Za-z]+)\s*([\s\S]*)$/.exec(text)
  if (match === null) return unknownType(text.trim())
  const [, type = '', rest = ''] = match
  const parsed = type === 'enum' ? parseEnum(rest) : parsePlain(type, rest)
  return 'message' in parsed ? parsed : applySuffixes(parsed.schema, parsed.rest, text)
}

interface Parsed {
  readonly schema: Readonly<Record<string, unknown>>
  readonly rest: string
}

function parsePlain(type: string, rest: string): Parsed | Wrong {
  if (type === 'string' || type === 'boolean') return { schema: { type }, rest }
  if (type !== 'number' && type !== 'integer') return unknownType(type)
  const range = /^\(([^)]*)\)/.exec(rest)
  if (range === null) return { schema: { type }, rest }
  const bounds = parseRange(range[1] ?? '', type)
  if ('message' in bounds) return bounds
  return { schema: { type, ...bounds }, rest: rest.slice(range[0].length) }
}

function parseRange(text: string, type: string): { minimum?: number; maximum?: number } | Wrong {
  const match = /^\s*(-?\d+(?:\.\d+)?)?\s*\.\.\s*(-?\d+(?:\.\d+)?)?\s*$/.exec(text)
  const minimum = match?.[1] === undefined ? null : Number(match[1])
  const maximum = match?.[2] === undefined ? null : Number(match[2])
  if (match === null || (minimum === null && maximum === null)) {
    return {
      message: `"${text}" is no range`,
      hint: `Write ${type}(0..${type === 'integer' ? '10' : '1'}), both ends included.`,
    }
  }
  if (minimum !== null && maximum !== null && minimum > maximum) {
    return { message: `the range ${text.trim()} is empty`, hint: 'The smaller number comes first.' }
  }
  if (type === 'integer' && !(Number.isInteger(minimum ?? 0) && Number.isInteger(maximum ?? 0))) {
    return { message: `the ends of ${text.trim()} must be whole numbers`, hint: 'Or write number(…).' }
  }
  return { ...(minimum !== null && { minimum }), ...(maximum !== null && { maximum }) }
}

/** Values up to the closing bracket; a quoted one may hold anything, with a backslash before its own quote. */
function parseEnum(rest: string): Parsed | Wrong {
  const hint = 'Write enum[billing, login, "other, or none"].'
  if (!rest.startsWith('[')) return { message: 'enum needs its values in square brackets', hint }
  const token = /\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^,\]"'][^,\]]*?)?)\s*([,\]])/y
  const values: string[] = []
  token.lastIndex = 1
  for (;;) {
    const match = token.exec(rest)
    if (match === null) return { message: 'the list of enum is not closed, or a quote in it is not', hint }
    const quoted = match[1] ?? match[2]
    const value = quoted === undefined ? (match[3] ?? '') : quoted.replace(/\\(.)/gs, '$1')
    if (value === '' && quoted === undefined) return { message: 'a value of enum is missing', hint }
    if (values.includes(value)) return { message: `enum holds "${value}" twice`, hint: 'Keep one of them.' }
    values.push(value)
    if (match[4] === ']') return { schema: { type: 'string', enum: values }, rest: rest.slice(token.lastIndex) }
  }
}

function applySuffixes(schema: Parsed['schema'], rest: string, text: string): { readonly schema: JsonSchema } | Wrong {
  let wrapped = schema
  for (const suffix of rest.match(/\[\s*\]|\?|\S+/g) ?? []) {
    if (suffix === '?') wrapped = orNull(wrapped)
    else if (suffix.startsWith('[')) wrapped = { type: 'array', items: wrapped }
    else
      return {
        message: `"${text.trim()}" is no short form`,
        hint: `What is "${suffix}"? After a type only [] (a list) and ? (or null) may follow.`,
      }
  }
  return { schema: wrapped }
}

/** The same schema, for which null is an answer too. The key stays required, so that an answer always says which. */
function orNull(schema: Parsed['schema']): Parsed['schema'] {
  const { type, enum: values } = schema
  if (Array.isArray(type)) return schema
  return { ...schema, type: [type, 'null'], ...(Array.isArray(values) && { enum: [...values, null] }) }
}

function unknownType(type: string): Wrong {
  const other = OTHER_NAMES[type.toLowerCase()]
  const hint = other === undefined ? didYouMean(type, TYPES) : `did you mean ${other}?`
  const known =
    'The types are string, number, number(0..1), integer, boolean, enum[a, b]; [] makes a list, ? allows null.'
  return { message: `unknown type ${showValue(type)}`, hint: hint ?? known }
}
