import { type TProperties, type TSchema, type TSchemaOptions, Type } from 'typebox'
import { DECIMAL_PATTERN, DURATION_PATTERN, SHARE_PATTERN } from './quantity.ts'

/** What a part of the schema may say beyond JSON Schema. All but `errorMessage` are taken out of the published schema. */
export interface Annotations {
  /** The whole part is known but not built. */
  readonly later?: true
  /** What the value must be, after the name of the key: `must be …`. Editors show it too. */
  readonly errorMessage?: string
}

/** A mapping with these keys and no others. */
export function block<P extends TProperties>(description: string, properties: P) {
  return Type.Object(properties, { additionalProperties: false, description })
}

/** Any text. */
export function text(description: string, options: TSchemaOptions & Annotations = {}) {
  return Type.String({ description, ...options })
}

/** A whole number from `minimum` up. */
export function count(
  description: string,
  minimum: number,
  options: { readonly default?: number; readonly maximum?: number } = {},
) {
  const { maximum } = options
  const range = maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`
  return Type.Integer({ description, minimum, ...options, errorMessage: `must be a whole number ${range}` })
}

/** A duration as text; see `parseDuration`. */
export function duration(description: string, standard?: string) {
  return Type.String({
    description,
    pattern: DURATION_PATTERN,
    errorMessage: 'must be a duration such as 500ms, 60s, 2m or 24h',
    ...(standard !== undefined && { default: standard }),
  })
}

/** A share as `99%` or 0.99; see `parseShare`. */
export function share(description: string) {
  return Type.Union([Type.String({ pattern: SHARE_PATTERN }), Type.Number({ minimum: 0, maximum: 1 })], {
    description,
    errorMessage: 'must be a share such as 99% or 0.99',
  })
}

/** A sum of dollars as a decimal; see `parseDecimal`. */
export function money(description: string) {
  return Type.Union([Type.String({ pattern: DECIMAL_PATTERN }), Type.Number({ minimum: 0, maximum: 9_999_999 })], {
    description,
    errorMessage: 'must be a decimal such as "0.25", with at most nine decimals',
  })
}

/** Marks a part as known but not built: it is refused by name, never ignored. */
export function later<S extends TSchema>(part: S): S {
  return { ...part, later: true, description: `${describe(part)} Not yet supported.` }
}

function describe(part: TSchema): string {
  return 'description' in part ? String(part.description) : ''
}
