import { type Fields, isRecord } from './json.ts'
import type { SchemaDialect, SchemaLimits } from './schema-dialect.ts'

/** A schema that a provider's strict mode cannot express; the message says which part of it. */
export class NotStrict extends Error {
  override readonly name = 'NotStrict'
}

export interface TightenedSchema {
  readonly schema: Fields
  /** Some optional property became a nullable one. */
  readonly addedNull: boolean
}

/** Constraints that are said in words where the dialect has no keyword for them. */
const SAYABLE = [
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'uniqueItems',
  'contains',
  'minProperties',
  'maxProperties',
  'propertyNames',
  'dependentRequired',
  'not',
  'if',
  'then',
  'else',
]

/**
 * A copy of `schema` that the dialect's provider takes and that allows every answer the original allows, optional properties
 * given as null aside. Throws NotStrict where there is none: open maps, tuples, parts that allow anything, real intersections,
 * references to elsewhere, or more than the provider's limits.
 */
export function tightenSchema(schema: Fields, dialect: SchemaDialect): TightenedSchema {
  const tightening = new Tightening(dialect)
  const root = tightening.root(schema)
  return { schema: root, addedNull: tightening.addedNull }
}

class Tightening {
  addedNull = false
  readonly #dialect: SchemaDialect
  #properties = 0
  #enumValues = 0
  #characters = 0

  constructor(dialect: SchemaDialect) {
    this.#dialect = dialect
  }

  root(schema: Fields): Fields {
    if (schema.anyOf !== undefined || schema.oneOf !== undefined) throw new NotStrict('its root is a choice')
    const definitions = { ...this.#definitions(schema, '$defs'), ...this.#definitions(schema, 'definitions') }
    const unwrapped = typeof schema.$ref === 'string' ? (atPointer(schema, schema.$ref) ?? schema) : schema
    const root = this.#node(unwrapped, 1)
    if (root.type !== 'object') throw new NotStrict('its root is no object')
    this.#checkLimits()
    return { ...root, ...definitions }
  }

  #definitions(schema: Fields, key: string): Fields {
    const definitions = schema[key]
    if (!isRecord(definitions)) return {}
    return { [key]: mapValues(definitions, (definition) => this.#node(definition, 1)) }
  }

  #node(schema: unknown, depth: number): Fields {
    if (depth > (this.#dialect.limits?.depth ?? 100)) throw new NotStrict('it is nested too deeply')
    if (!isRecord(schema)) return this.#anything(schema)
    if (typeof schema.$ref === 'string') return this.#reference(schema.$ref)
    const [only, ...others] = Array.isArray(schema.allOf) ? schema.allOf : []
    if (others.length > 0) throw new NotStrict('it uses allOf')
    if (isRecord(only)) {
      const { allOf: _, ...rest } = schema
      return this.#node({ ...only, ...rest }, depth)
    }
    const choices = schema.anyOf ?? schema.oneOf
    if (Array.isArray(choices)) return this.#choice(schema, choices, depth)
    const values = schema.const !== undefined ? [schema.const] : schema.enum
    if (Array.isArray(values)) return this.#values(schema, values)
    return this.#typed(schema, depth)
  }

  #anything(schema: unknown): Fields {
    if (this.#dialect.strict || schema === false) throw new NotStrict('a part of it allows anything')
    return {}
  }

  /** Nothing may stand beside a reference. */
  #reference(ref: string): Fields {
    if (ref === '#' || /^#\/(?:\$defs|definitions)\/[^/]+$/.test(ref)) return { $ref: ref }
    throw new NotStrict(`it refers to ${ref}`)
  }

  #choice(schema: Fields, choices: readonly unknown[], depth: number): Fields {
    if (schema.properties !== undefined || schema.items !== undefined)
      throw new NotStrict('it mixes a choice with more')
    return { ...this.#described(schema, []), anyOf: choices.map((choice) => this.#node(choice, depth)) }
  }

  #values(schema: Fields, values: readonly unknown[]): Fields {
    const characters = values.reduce<number>((sum, value) => sum + String(value).length, 0)
    const { limits } = this.#dialect
    if (limits !== null && values.length > 250 && characters > limits.longEnumCharacters) {
      throw new NotStrict(`the values of one enum are longer than ${limits.longEnumCharacters} characters together`)
    }
    this.#enumValues += values.length
    this.#characters += characters
    const type = schema.type ?? oneOrMany([...new Set(values.map(typeName))])
    return { ...this.#described(schema, []), type, enum: values }
  }

  #typed(schema: Fields, depth: number): Fields {
    const implied = schema.properties !== undefined ? 'object' : schema.items !== undefined ? 'array' : undefined
    const type = schema.type ?? implied
    const types = Array.isArray(type) ? type : [type]
    if (type === undefined) return this.#anything(schema)
    const kept = this.#dialect.keeps
    const node: Record<string, unknown> = { ...this.#described(schema, types), type }
    for (const keyword of kept) if (schema[keyword] !== undefined) node[keyword] = schema[keyword]
    if (this.#dialect.formats.has(String(schema.format))) node.format = schema.format
    if (types.includes('object')) Object.assign(node, this.#object(schema, depth))
    if (types.includes('array')) Object.assign(node, this.#array(schema, depth))
    return node
  }

  #object(schema: Fields, depth: number): Fields {
    const { strict } = this.#dialect
    const properties = isRecord(schema.properties) ? schema.properties : {}
    const names = Object.keys(properties)
    const open = schema.additionalProperties ?? (names.length === 0 ? true : undefined)
    const isMap = (open !== undefined && open !== false) || isRecord(schema.patternProperties)
    if (isMap && (strict || isRecord(schema.patternProperties))) throw new NotStrict('it has an object with free keys')
    this.#properties += names.length
    this.#characters += names.reduce((sum, name) => sum + name.length, 0)
    const required = Array.isArray(schema.required) ? schema.required : []
    const inner = mapValues(properties, (property, name) => {
      const node = this.#node(property, depth + 1)
      return strict && !required.includes(name) ? this.#nullable(node) : node
    })
    if (strict) return { properties: inner, required: names, additionalProperties: false }
    return {
      properties: inner,
      ...(required.length > 0 && { required }),
      ...(isRecord(open)
        ? { additionalProperties: this.#node(open, depth + 1) }
        : open === false && { additionalProperties: false }),
    }
  }

  #array(schema: Fields, depth: number): Fields {
    if (schema.prefixItems !== undefined || Array.isArray(schema.items)) throw new NotStrict('it has a tuple')
    if (schema.items === undefined && !this.#dialect.strict) return {}
    return { items: this.#node(schema.items, depth + 1) }
  }

  #nullable(node: Fields): Fields {
    const types = Array.isArray(node.type) ? node.type : [node.type]
    if (types.includes('null')) return node
    const choices = Array.isArray(node.anyOf) ? node.anyOf : null
    if (choices?.some((choice) => isRecord(choice) && choice.type === 'null')) return node
    this.addedNull = true
    if (choices !== null) return { ...node, anyOf: [...choices, { type: 'null' }] }
    if (node.type === undefined) return { anyOf: [node, { type: 'null' }] }
    return { ...node, type: [...types, 'null'], ...(Array.isArray(node.enum) && { enum: [...node.enum, null] }) }
  }

  /** The description, with what the dialect has no keyword for said at its end. */
  #described(schema: Fields, types: readonly unknown[]): Fields {
    const { keeps, formats } = this.#dialect
    const sent = (keyword: string) => (keyword === 'format' ? formats.has(String(schema.format)) : keeps.has(keyword))
    const lost = SAYABLE.filter((keyword) => schema[keyword] !== undefined && !(types.length > 0 && sent(keyword)))
    const said = lost.map((keyword) => `${keyword}: ${say(schema[keyword])}`).join('; ')
    const parts = [schema.description, said === '' ? undefined : `(${said})`].filter((part) => typeof part === 'string')
    return parts.length === 0 ? {} : { description: parts.join(' ') }
  }

  #checkLimits(): void {
    const limits: SchemaLimits | null = this.#dialect.limits
    if (limits === null) return
    if (this.#properties > limits.properties) throw new NotStrict(`it has more than ${limits.properties} properties`)
    if (this.#enumValues > limits.enumValues) throw new NotStrict(`it has more than ${limits.enumValues} enum values`)
    if (this.#characters > limits.characters) {
      throw new NotStrict(`its names and values are longer than ${limits.characters} characters together`)
    }
  }
}

function atPointer(schema: Fields, ref: string): Fields | null {
  const match = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(ref)
  const found = match === null ? undefined : (schema[match[1] as string] as Fields | undefined)?.[match[2] as string]
  return isRecord(found) ? found : null
}

function mapValues(record: Fields, change: (value: unknown, key: string) => unknown): Fields {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]))
}

function oneOrMany<T>(list: readonly T[]): T | readonly T[] {
  return list.length === 1 ? (list[0] as T) : list
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'bigint' ? 'integer' : typeof value
}

function say(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
