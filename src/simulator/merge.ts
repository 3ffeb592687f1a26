import { isRecord, isSchema, type Schema, type SchemaObject, typesOf, Unanswerable } from './schema.ts'

/** One schema that allows what both allow. Throws `Unanswerable` where nothing can, or where two keywords cannot be joined. */
export function merge(a: SchemaObject, b: SchemaObject): SchemaObject {
  const merged: Record<string, unknown> = { ...a }
  for (const [keyword, value] of Object.entries(b)) {
    merged[keyword] = keyword in a ? join(keyword, a, b) : value
  }
  return merged
}

type Joiner = (x: unknown, y: unknown, a: SchemaObject, b: SchemaObject) => unknown

const JOINERS: Readonly<Record<string, Joiner>> = {
  type: (_x, _y, a, b) => joinTypes(typesOf(a) ?? [], typesOf(b) ?? []),
  enum: (x, y) => nonEmpty((x as unknown[]).filter((v) => (y as unknown[]).some((w) => same(v, w)))),
  required: (x, y) => [...new Set([...(x as string[]), ...(y as string[])])],
  properties: (x, y) => joinProperties(x, y),
  $defs: (x, y) => ({ ...(x as object), ...(y as object) }),
  definitions: (x, y) => ({ ...(x as object), ...(y as object) }),
  items: (x, y) => joinSchemas(x, y),
  additionalProperties: (x, y) => (x === false || y === false ? false : joinSchemas(x, y)),
  uniqueItems: (x, y) => x === true || y === true,
  minimum: highest,
  exclusiveMinimum: highest,
  minLength: highest,
  minItems: highest,
  minProperties: highest,
  maximum: lowest,
  exclusiveMaximum: lowest,
  maxLength: lowest,
  maxItems: lowest,
  maxProperties: lowest,
}

/** Keywords that describe and bind nothing: the first one's stands. */
const REMARKS = new Set(['title', 'description', 'default', 'examples', '$comment', '$schema', '$id', 'deprecated'])

function join(keyword: string, a: SchemaObject, b: SchemaObject): unknown {
  const joiner = JOINERS[keyword]
  if (joiner !== undefined) return joiner(a[keyword], b[keyword], a, b)
  if (REMARKS.has(keyword) || same(a[keyword], b[keyword])) return a[keyword]
  throw new Unanswerable(`'${keyword}' is given twice with different values`)
}

function joinTypes(a: readonly string[], b: readonly string[]): readonly string[] {
  const both = a.filter((type) => b.includes(type))
  if ((a.includes('integer') && b.includes('number')) || (a.includes('number') && b.includes('integer'))) {
    both.push('integer')
  }
  return nonEmpty([...new Set(both)])
}

function joinProperties(x: unknown, y: unknown): unknown {
  const joined: Record<string, unknown> = { ...(x as object) }
  for (const [name, schema] of Object.entries(y as object)) {
    joined[name] = Object.hasOwn(joined, name) ? joinSchemas(joined[name], schema) : schema
  }
  return joined
}

/** Both at once. A `$ref` or a choice in either is kept for later, under `allOf`. */
function joinSchemas(x: unknown, y: unknown): Schema {
  if (x === true) return isSchema(y) ? y : true
  if (y === true) return isSchema(x) ? x : true
  return isRecord(x) && isRecord(y) ? { allOf: [x, y] } : false
}

function highest(x: unknown, y: unknown): unknown {
  return Math.max(x as number, y as number)
}

function lowest(x: unknown, y: unknown): unknown {
  return Math.min(x as number, y as number)
}

function nonEmpty<T>(list: readonly T[]): readonly T[] {
  if (list.length === 0) throw new Unanswerable('its parts allow no common value')
  return list
}

/** JSON equality, whatever the order of keys. */
export function same(x: unknown, y: unknown): boolean {
  if (x === y) return true
  if (Array.isArray(x)) return Array.isArray(y) && x.length === y.length && x.every((v, at) => same(v, y[at]))
  if (!isRecord(x) || !isRecord(y)) return false
  const keys = Object.keys(x)
  return keys.length === Object.keys(y).length && keys.every((key) => Object.hasOwn(y, key) && same(x[key], y[key]))
}
