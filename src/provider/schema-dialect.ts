/** What one provider's structured output takes of JSON Schema. */
export interface SchemaDialect {
  /** Keywords that go through as they are; what constrains and is not here is said in the description instead. */
  readonly keeps: ReadonlySet<string>
  /** Values of `format` that go through. */
  readonly formats: ReadonlySet<string>
  /** Every object lists all its properties as required and is closed; optional ones become nullable. */
  readonly strict: boolean
  readonly limits: SchemaLimits | null
}

export interface SchemaLimits {
  readonly properties: number
  readonly depth: number
  readonly enumValues: number
  /** Of all property names, enum and const values together. */
  readonly characters: number
  /** Of one enum of more than 250 values. */
  readonly longEnumCharacters: number
}

const FORMATS = ['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid']

/** OpenAI's strict mode (platform.openai.com/docs/guides/structured-outputs), and that of the servers that copied it. */
export const OPENAI_DIALECT: SchemaDialect = {
  keeps: new Set([
    'title',
    'pattern',
    'multipleOf',
    'minimum',
    'maximum',
    'exclusiveMinimum',
    'exclusiveMaximum',
    'minItems',
    'maxItems',
  ]),
  formats: new Set(FORMATS),
  strict: true,
  limits: { properties: 5000, depth: 10, enumValues: 1000, characters: 120_000, longEnumCharacters: 15_000 },
}

/** Gemini's `responseJsonSchema` (ai.google.dev/gemini-api/docs/structured-output): a subset of JSON Schema, in which optional properties and open objects are fine. */
export const GEMINI_DIALECT: SchemaDialect = {
  keeps: new Set(['title', 'minimum', 'maximum', 'minItems', 'maxItems']),
  formats: new Set(['date-time', 'date', 'time']),
  strict: false,
  limits: null,
}
