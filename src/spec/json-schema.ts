import { isRecord } from './record.ts'

const SCHEMA = [
  'additionalProperties',
  'items',
  'contains',
  'not',
  'if',
  'then',
  'else',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'additionalItems',
] as const
const SCHEMAS = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'] as const
const NAMED = ['patternProperties', '$defs', 'definitions', 'dependentSchemas'] as const

/** Keywords of JSON Schema 2020-12 that sluice knows; for hints at misspelled ones. */
export const KEYWORDS: readonly string[] = [
  ...new Set([...SCHEMA, ...SCHEMAS, ...NAMED]),
  'properties',
  'type',
  'enum',
  'const',
  'required',
  'title',
  'description',
  'default',
  'examples',
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
  'minContains',
  'maxContains',
  'minProperties',
  'maxProperties',
  'dependentRequired',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  '$ref',
  '$id',
  '$schema',
  '$comment',
  '$anchor',
]

/**
 * A JSON Schema in its one spelling: keywords sorted, `required` in the order of the properties. The order of `properties` stays
 * as written, since it is that of the columns, and the order in which a model writes its answer.
 */
export function canonicalSchema(schema: unknown): unknown {
  if (!isRecord(schema)) return schema
  const entries = Object.entries(schema).map(
    ([keyword, value]) => [keyword, canonicalKeyword(schema, keyword, value)] as const,
  )
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function canonicalKeyword(schema: Readonly<Record<string, unknown>>, keyword: string, value: unknown): unknown {
  if (keyword === 'properties' && isRecord(value)) return mapValues(value, canonicalSchema)
  if ((NAMED as readonly string[]).includes(keyword) && isRecord(value))
    return sortKeys(mapValues(value, canonicalSchema))
  if (Array.isArray(value) && (SCHEMAS as readonly string[]).includes(keyword)) return value.map(canonicalSchema)
  if ((SCHEMA as readonly string[]).includes(keyword)) return canonicalSchema(value)
  if (keyword === 'required' && Array.isArray(value)) return inOrderOf(value, schema.properties)
  return sortedData(value)
}

function inOrderOf(required: readonly unknown[], properties: unknown): unknown[] {
  const order = isRecord(properties) ? Object.keys(properties) : []
  const rank = (name: unknown) => (order.includes(String(name)) ? order.indexOf(String(name)) : order.length)
  return required.toSorted((a, b) => rank(a) - rank(b) || (String(a) < String(b) ? -1 : 1))
}

function mapValues(
  record: Readonly<Record<string, unknown>>,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function sortKeys(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Any JSON value with the keys of its mappings sorted. */
export function sortedData(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedData)
  return isRecord(value) ? sortKeys(mapValues(value, sortedData)) : value
}

/** Calls `visit` for a schema and every schema inside it, with the path to each. */
export function eachSchema(
  schema: unknown,
  path: readonly (string | number)[],
  visit: (schema: Readonly<Record<string, unknown>>, path: readonly (string | number)[]) => void,
): void {
  if (!isRecord(schema)) return
  visit(schema, path)
  for (const [keyword, value] of Object.entries(schema)) {
    const isNamed = keyword === 'properties' || (NAMED as readonly string[]).includes(keyword)
    if (isNamed && isRecord(value)) {
      for (const [name, each] of Object.entries(value)) eachSchema(each, [...path, keyword, name], visit)
    } else if (Array.isArray(value) && (SCHEMAS as readonly string[]).includes(keyword)) {
      for (const [index, each] of value.entries()) eachSchema(each, [...path, keyword, index], visit)
    } else if ((SCHEMA as readonly string[]).includes(keyword)) eachSchema(value, [...path, keyword], visit)
  }
}
