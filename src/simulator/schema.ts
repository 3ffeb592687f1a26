/** A JSON Schema as it arrives: unchecked. */
export type Schema = boolean | SchemaObject
export interface SchemaObject {
  readonly [keyword: string]: unknown
}

/** Why no answer can be made for a schema: the provider's 400 says it. */
export class Unanswerable extends Error {
  override readonly name = 'Unanswerable'
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isSchema(value: unknown): value is Schema {
  return typeof value === 'boolean' || isRecord(value)
}

/** The keyword's value where it is a finite number, else `fallback`. */
export function numberOf(schema: SchemaObject, keyword: string, fallback: number): number {
  const value = schema[keyword]
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback
}

/** The schemas listed under `keyword`; empty where there are none. */
export function schemasOf(schema: SchemaObject, keyword: string): readonly Schema[] {
  const value = schema[keyword]
  return Array.isArray(value) ? value.filter(isSchema) : []
}

/** The types that `schema` allows, as a list; `null` where it does not say. */
export function typesOf(schema: SchemaObject): readonly string[] | null {
  const type = schema.type
  if (typeof type === 'string') return [type]
  return Array.isArray(type) ? type.map(String) : null
}
