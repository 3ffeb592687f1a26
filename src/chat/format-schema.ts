import { stringifyExact } from '../domain/exact-json.ts'
import type { JsonSchema } from '../domain/request.ts'
import type { Value } from '../domain/row.ts'
import { type Fields, isFields, type Report } from './body-reader.ts'

/** Any JSON object: what `json_object` asks for. */
const ANY_OBJECT: JsonSchema = Object.freeze({ type: 'object' })

/**
 * The schema that a format asks for; `null`: plain text. `schemaIn` finds the object that holds the schema of a `json_schema`: the two kinds of requests
 * have it in different places. Answers are objects: other schemas are refused.
 */
export function formatSchema(
  format: Value | undefined,
  param: string,
  schemaIn: (format: Fields) => { readonly holder: Value | undefined; readonly at: string },
  report: Report,
): JsonSchema | null {
  if (format === undefined || format === null) return null
  const type = isFields(format) ? format.type : null
  if (!isFields(format) || typeof type !== 'string') {
    report('invalid_type', `Invalid type for '${param}': expected an object with a type.`, param)
    return null
  }
  if (type === 'text') return null
  if (type === 'json_object') return ANY_OBJECT
  if (type === 'json_schema') {
    const { holder, at } = schemaIn(format)
    return schemaOf(holder, at, report)
  }
  report(
    'invalid_value',
    `Invalid value for '${param}.type': expected text, json_object or json_schema.`,
    `${param}.type`,
  )
  return null
}

function schemaOf(holder: Value | undefined, at: string, report: Report): JsonSchema | null {
  const param = `${at}.schema`
  const schema = isFields(holder) ? holder.schema : undefined
  if (isFields(holder) && (schema === undefined || schema === null)) return ANY_OBJECT
  if (!isFields(schema)) {
    report('invalid_json_schema', `Invalid schema for '${param}': expected an object.`, param)
    return null
  }
  const rootType = schema.type
  if (rootType !== undefined && rootType !== 'object') {
    report('invalid_json_schema', `Invalid schema for '${param}': its type must be object.`, param)
    return null
  }
  // Bounds beyond 2^53 become doubles: that is what JSON Schema compares.
  return JSON.parse(stringifyExact(schema)) as JsonSchema
}
