import { between, type Draw } from './draw.ts'
import { nameInText, pickValue, valuesInText } from './enum-value.ts'
import { flatten, type Refs, refsOf } from './flatten.ts'
import { same } from './merge.ts'
import { numberValue } from './number-value.ts'
import {
  isRecord,
  isSchema,
  numberOf,
  type Schema,
  type SchemaObject,
  schemasOf,
  typesOf,
  Unanswerable,
} from './schema.ts'
import { stringValue } from './string-value.ts'

/** What an answer is made from: the text that was asked about, and the name of the draw. */
export interface Source {
  readonly text: string
  /** `text` in lower case. */
  readonly lower: string
  /** The numbers for a path: equal texts are answered alike, whatever else the request holds. */
  readonly draw: (path: string) => Draw
}

/** Below this depth, or beyond this many values, only what is required is written: recursive schemas come to an end. */
const DEEP = 6
const MANY = 400
const TOO_DEEP = 60
const UNIQUE_TRIES = 40
/** Where null is allowed beside something else, it is the answer this often. */
const NULL_SHARE = 0.1

interface Place {
  readonly path: string
  /** The nearest property's name: what the value is called. */
  readonly name: string
  readonly depth: number
}

interface Writer {
  readonly source: Source
  readonly refs: Refs
  written: number
}

/**
 * A value that `schema` allows, made from the text: enum values whose word stands there, figures and sentences near the
 * field's name, and draws for the rest. Every field draws by its own path, so that one more field changes no other.
 * Throws `Unanswerable`, with the place and the reason, for schemas that allow nothing or say more than can be followed.
 */
export function valueBySchema(schema: Schema, source: Source): unknown {
  const writer: Writer = { source, refs: refsOf(schema), written: 0 }
  return valueAt(writer, schema, { path: '', name: '', depth: 0 })
}

function valueAt(writer: Writer, raw: Schema, place: Place): unknown {
  if (place.depth > TOO_DEEP) throw new Unanswerable('it never comes to an end')
  writer.written += 1
  const draw = writer.source.draw(place.path)
  const schema = flatten(raw, writer.refs, draw, isSparing(writer, place))
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return enumValue(writer, schema, schema.enum, draw)
  return valueOfType(writer, schema, chooseType(schema, draw), place, draw)
}

function isSparing(writer: Writer, place: Place): boolean {
  return place.depth > DEEP || writer.written > MANY
}

function valueOfType(writer: Writer, schema: SchemaObject, type: string, place: Place, draw: Draw): unknown {
  const { text, lower } = writer.source
  switch (type) {
    case 'object':
      return objectValue(writer, schema, place)
    case 'array':
      return arrayValue(writer, schema, place, draw)
    case 'string':
      return stringValue(schema, place.name, text, draw)
    case 'number':
    case 'integer':
      return numberValue(schema, type === 'integer', place.name, text, draw)
    case 'boolean':
      return nameInText(place.name, lower) ?? draw() < 0.5
    case 'null':
      return null
    default:
      throw new Unanswerable(`'${type}' is no type of JSON Schema`)
  }
}

function enumValue(writer: Writer, schema: SchemaObject, values: readonly unknown[], draw: Draw): unknown {
  const types = typesOf(schema)
  const allowed = types === null ? values : values.filter((value) => types.some((type) => isOfType(value, type)))
  if (allowed.length === 0) throw new Unanswerable('its enum is empty')
  return pickValue(allowed, writer.source.lower, draw)
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isRecord(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

const TYPE_BY_KEYWORD: readonly (readonly [string, string])[] = [
  ['properties', 'object'],
  ['required', 'object'],
  ['items', 'array'],
  ['prefixItems', 'array'],
  ['minItems', 'array'],
  ['minimum', 'number'],
  ['maximum', 'number'],
  ['exclusiveMinimum', 'number'],
  ['exclusiveMaximum', 'number'],
  ['multipleOf', 'number'],
]

function chooseType(schema: SchemaObject, draw: Draw): string {
  const types = typesOf(schema)
  if (types === null) return TYPE_BY_KEYWORD.find(([keyword]) => keyword in schema)?.[1] ?? 'string'
  const telling = types.filter((type) => type !== 'null')
  if (telling.length === 0 || (telling.length < types.length && draw() < NULL_SHARE)) return 'null'
  return telling[0] as string
}

function objectValue(writer: Writer, schema: SchemaObject, place: Place): unknown {
  const properties = isRecord(schema.properties) ? schema.properties : {}
  const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : [])
  const value: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(properties)) {
    if (!isSchema(property)) continue
    if (required.has(name)) value[name] = propertyValue(writer, property, place, name)
    else if (!isSparing(writer, place)) addOptional(writer, value, property, place, name)
  }
  for (const name of required) {
    if (!Object.hasOwn(value, name)) value[name] = propertyValue(writer, undeclared(schema, name), place, name)
  }
  const count = Object.keys(value).length
  if (count < numberOf(schema, 'minProperties', 0) || count > numberOf(schema, 'maxProperties', Infinity)) {
    throw new Unanswerable('the number of its properties does not fit minProperties and maxProperties')
  }
  return value
}

function undeclared(schema: SchemaObject, name: string): Schema {
  const rest = schema.additionalProperties
  if (rest === false) throw new Unanswerable(`'${name}' is required but not among its properties`)
  return isSchema(rest) ? rest : true
}

function propertyValue(writer: Writer, schema: Schema, place: Place, name: string): unknown {
  return valueAt(writer, schema, { path: `${place.path}/${name}`, name, depth: place.depth + 1 })
}

/** An optional property that nothing fits is left out. */
function addOptional(writer: Writer, value: Record<string, unknown>, schema: Schema, place: Place, name: string): void {
  try {
    value[name] = propertyValue(writer, schema, place, name)
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
  }
}

function arrayValue(writer: Writer, schema: SchemaObject, place: Place, draw: Draw): unknown {
  const low = numberOf(schema, 'minItems', 0)
  const high = numberOf(schema, 'maxItems', Number.POSITIVE_INFINITY)
  if (low > high) throw new Unanswerable(`minItems ${low} is more than maxItems ${high}`)
  const first = schemasOf(schema, 'prefixItems').slice(0, high)
  const rest = isSchema(schema.items) ? schema.items : true
  const wanted = rest === false ? first.length : countOf(low, high, isSparing(writer, place), draw)
  if (wanted < low) throw new Unanswerable(`minItems ${low} is more than its prefixItems`)
  const chosen = rest === true || first.length > 0 ? null : enumItems(writer, rest, wanted, low, draw)
  if (chosen !== null) return chosen
  const items: unknown[] = []
  const unique = schema.uniqueItems === true
  for (let at = 0; at < Math.max(wanted, first.length); at += 1) {
    const item = itemValue(writer, first[at] ?? rest, place, at, unique ? items : null)
    if (item !== undefined) items.push(item.value)
  }
  if (items.length < low) throw new Unanswerable('there are not enough different values for its uniqueItems')
  return items
}

function countOf(low: number, high: number, sparing: boolean, draw: Draw): number {
  return sparing ? low : Math.min(high, Math.max(low, between(draw, 1, 2)))
}

/** For a list of enum values: those that stand in the text, each once, and others only where the list must be longer. */
function enumItems(writer: Writer, schema: Schema, wanted: number, low: number, draw: Draw): readonly unknown[] | null {
  const items = flatten(schema, writer.refs, draw, false)
  if (!Array.isArray(items.enum) || (typesOf(items) !== null && typesOf(items)?.[0] !== 'string')) return null
  const values: readonly unknown[] = items.enum.filter((value) => typeof value === 'string')
  const found = valuesInText(values, writer.source.lower)
  const others = values.filter((value) => !found.includes(value))
  const list = [...found.slice(0, Math.max(wanted, low)), ...others]
  const length = Math.max(low, Math.min(found.length, wanted), Math.min(1, wanted))
  return list.length < length ? null : list.slice(0, length)
}

/** One item; with `others`, one that is not among them, or nothing when none was found. */
function itemValue(writer: Writer, schema: Schema, place: Place, at: number, others: readonly unknown[] | null) {
  const tries = others === null ? 1 : UNIQUE_TRIES
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const path = `${place.path}/${at}${attempt === 0 ? '' : `.${attempt}`}`
    const value = valueAt(writer, schema, { path, name: place.name, depth: place.depth + 1 })
    if (others?.some((other) => same(other, value)) !== true) return { value }
  }
  return undefined
}
