import fc from 'fast-check'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Schema = Readonly<Record<string, unknown>>

/** A schema, a value that fits it, and the same value as a strict mode writes it: null for each optional property left out. */
export interface Pair {
  readonly schema: Schema
  readonly value: Json
  readonly strict: Json
}

const same = (schema: Schema, value: Json): Pair => ({ schema, value, strict: value })

const leaf: fc.Arbitrary<Pair> = fc.oneof(
  fc.string({ minLength: 2, maxLength: 9 }).map((value) => same({ type: 'string', minLength: 2, maxLength: 9 }, value)),
  fc.integer({ min: 0, max: 9 }).map((value) => same({ type: 'integer', minimum: 0, maximum: 9 }, value)),
  fc.boolean().map((value) => same({ type: 'boolean', description: 'a flag' }, value)),
  fc.constantFrom('red', 'green').map((value) => same({ type: 'string', enum: ['red', 'green'] }, value)),
  fc.constantFrom('a', 1, null).map((value) => same({ enum: ['a', 1, null] }, value)),
  fc.constant(same({ const: 'fixed' }, 'fixed')),
  fc.option(fc.string({ maxLength: 4 })).map((value) => same({ type: ['string', 'null'] }, value)),
  fc.option(fc.nat(9)).map((value) => same({ anyOf: [{ type: 'integer' }, { type: 'null' }] }, value)),
)

interface Property {
  readonly name: string
  readonly pair: Pair
  readonly required: boolean
  readonly present: boolean
}

function objectOf(properties: readonly Property[]): Pair {
  const here = properties.filter(({ required, present }) => required || present)
  const entries = (of: readonly Property[], what: (pair: Pair) => unknown) =>
    Object.fromEntries(of.map(({ name, pair }) => [name, what(pair)]))
  return {
    schema: {
      type: 'object',
      properties: entries(properties, ({ schema }) => schema),
      required: properties.filter(({ required }) => required).map(({ name }) => name),
      additionalProperties: false,
    },
    value: entries(here, ({ value }) => value) as Json,
    strict: { ...(entries(properties, () => null) as object), ...(entries(here, ({ strict }) => strict) as object) },
  }
}

const { node } = fc.letrec<{ node: Pair; object: Pair }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie('object'),
    fc.tuple(tie('node'), fc.nat(2)).map(([item, length]) => ({
      schema: { type: 'array', items: item.schema, maxItems: 9 },
      value: Array.from({ length }, () => item.value),
      strict: Array.from({ length }, () => item.strict),
    })),
    fc.tuple(tie('object'), tie('object'), fc.boolean()).map(([left, right, first]) => choiceOf(left, right, first)),
  ),
  object: objectArbitrary(tie('node')),
}))

function objectArbitrary(inner: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> {
  const property = fc.record({
    name: fc.constantFrom('id', 'name', 'tags', 'note', 'rank'),
    pair: inner,
    required: fc.boolean(),
    present: fc.boolean(),
  })
  return fc.uniqueArray(property, { minLength: 1, maxLength: 4, selector: ({ name }) => name }).map(objectOf)
}

/** One of two objects, told apart by a constant `kind`. */
function choiceOf(left: Pair, right: Pair, first: boolean): Pair {
  const withKind = (pair: Pair, kind: string): Pair => {
    const schema = pair.schema as { properties: object; required: readonly string[] }
    return {
      schema: {
        ...schema,
        properties: { kind: { const: kind }, ...schema.properties },
        required: ['kind', ...schema.required],
      },
      value: { kind, ...(pair.value as object) },
      strict: { kind, ...(pair.strict as object) },
    }
  }
  const [a, b] = [withKind(left, 'a'), withKind(right, 'b')]
  const { value, strict } = first ? a : b
  return { schema: { oneOf: [a.schema, b.schema] }, value, strict }
}

/** Object schemas, as an output schema is one. */
export const pairs: fc.Arbitrary<Pair> = objectArbitrary(node)
