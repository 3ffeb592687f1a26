import type { JsonSchema } from '../domain/request.ts'
import { type Fields, isRecord } from './json.ts'

/**
 * Takes out of an answer the nulls that stand for absent optional properties: strict modes make every property required, so
 * that a model can leave one out only by writing null. Nulls that the schema itself allows stay, numbers keep their digits,
 * and text that is no JSON comes back as it was.
 */
export function restoreOptional(text: string, schema: JsonSchema): string {
  if (!text.includes('null')) return text
  let changed = false
  const restore = (value: unknown, part: unknown): void => {
    for (const shape of shapesOf(part, schema)) {
      if (Array.isArray(value)) for (const item of value) restore(item, shape.items)
      else if (isRecord(value) && isRecord(shape.properties) && mayBe(value, shape.properties))
        restoreObject(value, shape)
    }
  }
  const restoreObject = (value: Fields, shape: Fields): void => {
    const required = Array.isArray(shape.required) ? shape.required : []
    for (const [name, property] of Object.entries(shape.properties as Fields)) {
      if (value[name] !== null) restore(value[name], property)
      else if (!required.includes(name) && !allowsNull(property, schema)) {
        delete (value as Record<string, unknown>)[name]
        changed = true
      }
    }
  }
  try {
    const value = JSON.parse(text, keepDigits)
    restore(value, schema)
    return changed ? JSON.stringify(value) : text
  } catch {
    return text
  }
}

/** A number that a double cannot hold goes through as its own text. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined || String(value) === context.source) return value
  return Number.isSafeInteger(value) ? value : rawJson(context.source)
}

/** `JSON.rawJSON` (ES2026), which TypeScript's library does not know yet. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** The object and array shapes that a part of a schema may stand for: itself, what it refers to, its choices. */
function shapesOf(part: unknown, root: JsonSchema, depth = 0): readonly Fields[] {
  if (!isRecord(part) || depth > 20) return []
  const inner = [part.anyOf, part.oneOf, part.allOf].flatMap((list) => (Array.isArray(list) ? list : []))
  if (typeof part.$ref === 'string') inner.push(resolve(part.$ref, root))
  return [part, ...inner.flatMap((choice) => shapesOf(choice, root, depth + 1))]
}

/** Among several choices, one that the model can have meant: in strict mode it wrote all properties of that one, and no others. */
function mayBe(value: Fields, properties: Fields): boolean {
  if (!Object.keys(value).every((name) => Object.hasOwn(properties, name))) return false
  return Object.entries(value).every(([name, inner]) => {
    const { const: fixed, enum: values } = isRecord(properties[name]) ? properties[name] : {}
    if (inner === null) return true
    return Array.isArray(values) ? values.includes(inner) : fixed === undefined || fixed === inner
  })
}

function allowsNull(part: unknown, root: JsonSchema): boolean {
  return shapesOf(part, root).some((shape) => {
    const { type, const: fixed, enum: values } = shape
    if (Array.isArray(values)) return values.includes(null)
    return type === 'null' || fixed === null || (Array.isArray(type) && type.includes('null'))
  })
}

function resolve(ref: string, root: JsonSchema): unknown {
  if (!ref.startsWith('#')) return undefined
  let found: unknown = root
  for (const step of ref.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    found = isRecord(found) ? found[key] : undefined
  }
  return found
}
