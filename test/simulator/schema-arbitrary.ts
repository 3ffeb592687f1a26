import fc from 'fast-check'

type Json = Readonly<Record<string, unknown>>

const text = fc.record(
  { minLength: fc.integer({ min: 0, max: 30 }), extra: fc.integer({ min: 0, max: 60 }) },
  { requiredKeys: [] },
)

const stringSchema = fc.oneof(
  text.map(({ minLength, extra }) => ({
    type: 'string',
    ...(minLength !== undefined && { minLength }),
    ...(extra !== undefined && { maxLength: (minLength ?? 0) + extra }),
  })),
  fc
    .constantFrom(
      'date',
      'date-time',
      'time',
      'email',
      'uri',
      'uuid',
      'hostname',
      'ipv4',
      'ipv6',
      'duration',
      'made-up',
    )
    .map((format) => ({ type: 'string', format })),
  fc
    .constantFrom(
      '^[A-Z]{2}-\\d{4}$',
      '^(?:red|green)\\s(?:one|two)?$',
      '[a-f0-9]+',
      '^\\+?[0-9 ()-]{7,15}$',
      '^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$',
      '^ORD-(\\d{3,6})$',
      '^$',
    )
    .map((pattern) => ({ type: 'string', pattern })),
)

const numberSchema = fc
  .record({
    type: fc.constantFrom('number', 'integer'),
    low: fc.option(fc.integer({ min: -1000, max: 3000 })),
    width: fc.option(fc.integer({ min: 1, max: 500 })),
    exclusive: fc.boolean(),
    multipleOf: fc.option(fc.constantFrom(1, 2, 5, 0.5), { freq: 4 }),
  })
  .map(({ type, low, width, exclusive, multipleOf }) => ({
    type,
    ...(low !== null && { [exclusive ? 'exclusiveMinimum' : 'minimum']: low }),
    ...(low !== null && width !== null && { [exclusive ? 'exclusiveMaximum' : 'maximum']: low + 12 + width }),
    ...(multipleOf !== null && { multipleOf }),
  }))

const enumSchema = fc.oneof(
  fc
    .uniqueArray(fc.constantFrom('billing', 'lost_card', 'log in', 'Other', 'Größe', '退款'), { minLength: 1 })
    .map((values) => ({
      type: 'string',
      enum: values,
    })),
  fc
    .uniqueArray(fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.string()), { minLength: 1 })
    .map((values) => ({
      enum: values,
    })),
  fc.jsonValue().map((value) => ({ const: value })),
)

const scalar = fc.oneof(
  stringSchema,
  numberSchema,
  enumSchema,
  fc.constant({ type: 'boolean' }),
  fc.constant({ type: 'null' }),
  numberSchema.map((schema) => ({ ...schema, type: [schema.type, 'null'] })),
)

const names = fc.uniqueArray(
  fc.constantFrom('topic', 'company_name', 'employees', 'urgent', 'founded', 'e-mail', 'Ort', 'a', '__proto', 'items'),
  { minLength: 1, maxLength: 6 },
)

function objectOf(inner: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return names.chain((keys) =>
    fc
      .record({
        schemas: fc.array(inner, { minLength: keys.length, maxLength: keys.length }),
        required: fc.subarray(keys),
        closed: fc.boolean(),
      })
      .map(({ schemas, required, closed }) => ({
        type: 'object',
        properties: Object.fromEntries(keys.map((key, at) => [key, schemas[at]])),
        required,
        ...(closed && { additionalProperties: false }),
      })),
  )
}

function arrayOf(inner: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc
    .record({ items: inner, minItems: fc.integer({ min: 0, max: 4 }), extra: fc.integer({ min: 0, max: 4 }) })
    .map(({ items, minItems, extra }) => ({ type: 'array', items, minItems, maxItems: minItems + extra }))
}

/** Schemas of the kinds that specs hold: nested, with choices, references, bounds, formats and patterns. */
export const anySchema: fc.Arbitrary<Json> = fc.letrec<{ node: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    objectOf(tie('node')),
    arrayOf(tie('node')),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    tie('node').map((schema) => ({ anyOf: [schema, { type: 'null' }], description: 'may be missing' })),
    tie('node').map((schema) => ({ $defs: {}, allOf: [schema, {}] })),
  ),
})).node
