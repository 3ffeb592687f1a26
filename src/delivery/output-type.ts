import type { JsonSchema } from '../domain/request.ts'

/** How a column's values are held where a format has types: JSON for nested and mixed values. */
export type ColumnType = 'string' | 'int64' | 'double' | 'boolean' | 'json'

/** What an output schema promises about one of its fields. */
export interface FieldPromise {
  /** `int64` only says that the values are whole numbers: JSON Schema sets them no upper end. */
  readonly type: ColumnType
  /** The values that the field may take, where they are few and named; `null`: any of its type. */
  readonly choices: readonly (string | number | boolean)[] | null
}

const ANYTHING: FieldPromise = Object.freeze({ type: 'json', choices: null })

const TYPES: Readonly<Record<string, ColumnType>> = Object.freeze({
  string: 'string',
  integer: 'int64',
  number: 'double',
  boolean: 'boolean',
})

/** What the schema promises about its top-level field `name`, beside null. A promise that cannot be read off simply is none: `json`. */
export function promiseOf(schema: JsonSchema | null, name: string): FieldPromise {
  if (schema === null) return { type: 'string', choices: null }
  const properties = typeof schema === 'boolean' ? null : schema.properties
  if (!isObject(properties) || !Object.hasOwn(properties, name)) return ANYTHING
  return promise(properties[name], schema, 0)
}

function promise(field: unknown, root: JsonSchema, depth: number): FieldPromise {
  if (!isObject(field) || depth > 8) return ANYTHING
  if (typeof field.$ref === 'string') return promise(pointedAt(field.$ref, root), root, depth + 1)
  const values = Array.isArray(field.enum) ? field.enum : 'const' in field ? [field.const] : null
  if (values !== null) return promiseOfValues(values)
  const branches = field.anyOf ?? field.oneOf
  if (Array.isArray(branches)) {
    const others = branches.filter((branch) => !(isObject(branch) && branch.type === 'null'))
    return others.length === 1 ? promise(others[0], root, depth + 1) : ANYTHING
  }
  const named = [field.type].flat().filter((type) => type !== 'null')
  const type = named.length === 1 ? TYPES[String(named[0])] : undefined
  return type === undefined ? ANYTHING : { type, choices: type === 'boolean' ? [true, false] : null }
}

function promiseOfValues(values: readonly unknown[]): FieldPromise {
  const choices = values.filter((value) => value !== null)
  const kinds = new Set(choices.map((value) => (Number.isSafeInteger(value) ? 'integer' : typeof value)))
  const kind = kinds.size === 2 && kinds.has('integer') && kinds.has('number') ? 'number' : [...kinds][0]
  if (kinds.size > 1 && kind !== 'number') return ANYTHING
  const type = TYPES[String(kind)]
  return type === undefined ? ANYTHING : { type, choices: choices as (string | number | boolean)[] }
}

/** The part of the schema that a local reference (`#/$defs/topic`) names. */
function pointedAt(reference: string, root: JsonSchema): unknown {
  if (!reference.startsWith('#/')) return undefined
  let part: unknown = root
  for (const step of reference.slice(2).split('/')) {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    part = isObject(part) && Object.hasOwn(part, key) ? part[key] : undefined
  }
  return part
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
