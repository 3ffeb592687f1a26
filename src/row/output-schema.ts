import { Ajv, type Options } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { JsonSchema } from '../domain/request.ts'
import { boundedPattern } from './bounded-pattern.ts'
import type { Faults } from './read-answer.ts'
import { schemaFaults } from './schema-fault.ts'

/**
 * What answers are judged by: the user's own schema, never the tightened form that a provider was sent. No value is coerced or filled in.
 * Not strict: what is odd in a schema, `check` has said.
 */
const OPTIONS: Options = Object.freeze({
  allErrors: true,
  verbose: true,
  strict: false,
  strictNumbers: true,
  logger: false,
  code: { regExp: Object.assign(boundedPattern, { code: 'boundedPattern' }) },
})

/** Schemas are checked against their meta-schema by one Ajv of each dialect, made when it is first needed: that costs most of a compilation. */
const checkers = new Map<Dialect, Ajv | Ajv2020>()

type Dialect = 'draft-07' | '2020-12'

/**
 * Compiles a JSON Schema: 2020-12, or draft-07 where `$schema` says so. Answers are objects, whatever the schema allows.
 * Throws an Error whose message says what is wrong with the schema.
 */
export function compileSchema(schema: JsonSchema): Faults {
  const declared = typeof schema === 'object' ? String(schema.$schema ?? '') : ''
  const dialect = declared.includes('draft-07') ? 'draft-07' : '2020-12'
  const checker = checkerOf(dialect)
  if (checker.validateSchema(schema) !== true)
    throw new Error(checker.errorsText(checker.errors, { dataVar: 'schema' }))
  const ajv = createAjv(dialect, { ...OPTIONS, meta: false, validateSchema: false })
  addFormats.default(ajv)
  const validate = ajv.compile(withoutDialect(schema))
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['the answer is not an object']
    return validate(value) ? [] : schemaFaults(validate.errors ?? [])
  }
}

function checkerOf(dialect: Dialect): Ajv | Ajv2020 {
  const checker = checkers.get(dialect) ?? createAjv(dialect, OPTIONS)
  checkers.set(dialect, checker)
  return checker
}

function createAjv(dialect: Dialect, options: Options): Ajv | Ajv2020 {
  return dialect === 'draft-07' ? new Ajv(options) : new Ajv2020(options)
}

function withoutDialect(schema: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean') return schema
  const { $schema, ...plain } = schema
  return plain
}
