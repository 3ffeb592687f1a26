import { type Static, type TSchema, Type } from 'typebox'

/** A JSON answer, for a route's `response`. */
export function json<S extends TSchema>(description: string, schema: S) {
  return { description, content: { 'application/json': { schema } } }
}

/** An answer that is a problem, for a route's `response`. */
export function problem(description: string) {
  return { description, content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } }
}

/** A schema that stands among the components under its `$id`: its type here, its name in the description. */
export function ref<S extends TSchema & { readonly $id?: string }>(schema: S) {
  return Type.Unsafe<Static<S>>({ $ref: `${schema.$id}#` })
}

/** Or null. */
export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()])
}

/** One of some texts. */
export function oneOfTexts<const T extends readonly string[]>(
  texts: T,
  options: { readonly description?: string } = {},
) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...texts], ...options })
}

/** A mapping of which the API promises no more here. */
export function mapping(description: string) {
  return Type.Unsafe<object>({ type: 'object', additionalProperties: true, description })
}

/** A moment, ISO 8601 in UTC. */
export function moment(description: string) {
  return Type.String({ format: 'date-time', description })
}

/** A mapping with exactly these names. */
export function exactly<P extends Record<string, TSchema>>(
  properties: P,
  options: { readonly $id?: string; readonly description?: string } = {},
) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A page of a list. */
export function pageOf<S extends TSchema>(item: S) {
  return exactly({
    items: Type.Array(item),
    next_cursor: nullable(Type.String({ description: 'Give it as `cursor` for the next page; null: there is none.' })),
  })
}
