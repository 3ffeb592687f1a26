import { isRecord } from './record.ts'
import type { Annotations } from './schema-part.ts'

/** One node of the spec's schema, as plain JSON Schema with our annotations. */
export interface Shape extends Annotations {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Shape>>
  readonly patternProperties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
}

/** The shape of the part named `key` of a mapping, or of an item of a list; `null` where the schema knows none. */
export function shapeWithin(shape: Shape, key: string | number): Shape | null {
  if (typeof key === 'number') return shape.items ?? null
  const own = shape.properties
  if (own !== undefined && Object.hasOwn(own, key)) return own[key] ?? null
  const [any] = Object.values(shape.patternProperties ?? {})
  return any ?? null
}

/** The shape at a path from `root`, or `null`. */
export function shapeAt(root: Shape, path: readonly string[]): Shape | null {
  let shape: Shape | null = root
  for (const part of path) {
    if (shape === null) return null
    shape = shapeWithin(shape, shape.items !== undefined ? Number(part) : part)
  }
  return shape
}

/** `value` without the optional keys that are null: `limit: null` and `budget:` with nothing after it mean what leaving them out means. */
export function withoutNulls(value: unknown, shape: Shape | null): unknown {
  if (shape === null) return value
  if (Array.isArray(value) && shape.items !== undefined)
    return value.map((item) => withoutNulls(item, shape.items ?? null))
  if (!isRecord(value) || shape.properties === undefined) return value
  const kept = Object.entries(value).filter(
    ([key, each]) => each !== null || !Object.hasOwn(shape.properties ?? {}, key),
  )
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutNulls(each, shapeWithin(shape, key))]))
}

/** A text from the environment as the number, true or false that its place asks for; as it is where it is none. */
export function fromText(text: string, shape: Shape): unknown {
  const kinds = (shape.anyOf ?? [shape]).map((each) => each.type ?? typeof each.const)
  if (kinds.includes('string')) return text
  const isNumber = kinds.some((kind) => kind === 'integer' || kind === 'number')
  if (isNumber && /^-?\d+(\.\d+)?$/.test(text.trim())) return Number(text)
  if (kinds.includes('boolean') && /^(true|false)$/.test(text.trim())) return text.trim() === 'true'
  return text
}
