import { type Shape, shapeWithin } from '../spec/shape.ts'
import { SERVE_SCHEMA } from './schema.ts'

/** A value of the configuration that a variable of its own may hold. */
export interface PlainValue {
  readonly path: readonly string[]
  /** `SLUICE_SERVE_` and the path: `SLUICE_SERVE_LIMITS_BODY`. */
  readonly variable: string
  readonly shape: Shape
}

const PREFIX = 'SLUICE_SERVE'

/** All values of the configuration that are no mappings of names: texts, numbers, switches, and lists of texts. */
export const PLAIN_VALUES: readonly PlainValue[] = plainValues(SERVE_SCHEMA as unknown as Shape, [])

function plainValues(shape: Shape, path: readonly string[]): PlainValue[] {
  if (shape.patternProperties !== undefined) return []
  const own = isPlain(shape) ? [{ path, variable: [PREFIX, ...path].join('_').toUpperCase(), shape }] : []
  const blocks = [shape, ...(shape.anyOf ?? [])].filter(({ properties }) => properties !== undefined)
  const within = blocks.flatMap((each) =>
    Object.keys(each.properties ?? {}).flatMap((key) => {
      const part = shapeWithin(each, key)
      return part === null ? [] : plainValues(part, [...path, key])
    }),
  )
  return [...own, ...within]
}

function isPlain(shape: Shape): boolean {
  if (shape.anyOf !== undefined) return shape.anyOf.some(isPlain)
  return shape.properties === undefined
}
