import type { ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formatsPlugin from 'ajv-formats'
import type { JsonSchema } from '../domain/request.ts'
import { canonicalSchema, eachSchema, KEYWORDS } from './json-schema.ts'
import { didYouMean, nearest } from './nearest.ts'
import { formatPath, fromPointer, type Path, type Report } from './positions.ts'
import { isRecord, valueAt } from './record.ts'
import { showValue } from './secret.ts'

const DIALECTS = /^https?:\/\/json-schema\.org\/(draft\/2020-12\/schema|draft-07\/schema)#?$/

/**
 * The schema of an answer in its one spelling: a valid JSON Schema 2020-12 that compiles, and whose root is an object with named properties.
 * Where it cannot be one the report says why, at `path`, and the answer is a stand-in with the names of the properties.
 */
export function outputSchema(schema: Readonly<Record<string, unknown>>, path: Path, report: Report): JsonSchema {
  const { $schema: dialect, ...plain } = schema
  const before = report.findings.length
  if (dialect !== undefined && !(typeof dialect === 'string' && DIALECTS.test(dialect))) {
    report.error(
      [...path, '$schema'],
      `${formatPath([...path, '$schema'])}: this version of JSON Schema is not supported`,
      'Use 2020-12 (or draft-07), or leave $schema out.',
    )
  }
  checkRoot(plain, path, report)
  reportInvalid(plain, path, report)
  eachSchema(plain, path, (each, at) => hintKeywords(each, at, report))
  const failed = report.findings.slice(before).some((finding) => finding.severity === 'error')
  return failed ? namesOnly(plain.properties) : (canonicalSchema({ type: 'object', ...plain }) as JsonSchema)
}

/** An object with these properties, of which nothing else is known. */
export function namesOnly(properties: unknown): JsonSchema {
  const names = isRecord(properties) ? Object.keys(properties) : []
  return { type: 'object', properties: Object.fromEntries(names.map((name) => [name, {}])) }
}

function checkRoot(schema: Readonly<Record<string, unknown>>, path: Path, report: Report): void {
  const name = formatPath(path)
  if (schema.type !== undefined && schema.type !== 'object') {
    report.error(
      [...path, 'type'],
      `${name}: the root must be an object, got ${showValue(schema.type)}`,
      'Its properties become the output columns.',
    )
  } else if (!isRecord(schema.properties) || Object.keys(schema.properties).length === 0) {
    report.error(
      path,
      `${name} names no properties`,
      'The root must be an object whose properties are the output columns.',
    )
  }
}

/** Errors against the meta-schema, each at its place; and, where there are none, what keeps the schema from being compiled. */
function reportInvalid(schema: Readonly<Record<string, unknown>>, path: Path, report: Report): void {
  const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false })
  formatsPlugin.default(ajv)
  if (ajv.validateSchema(schema) !== true) {
    for (const [at, message, hint] of metaErrors(ajv.errors ?? [], schema)) {
      report.error([...path, ...at], `${formatPath([...path, ...at])} ${message}`, hint)
    }
    return
  }
  try {
    ajv.compile(schema)
  } catch (error) {
    report.error(
      path,
      `${formatPath(path)}: ${error instanceof Error ? error.message : String(error)}`,
      'See https://json-schema.org/understanding-json-schema.',
    )
  }
}

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']

function metaErrors(errors: readonly ErrorObject[], schema: unknown): [Path, string, string | null][] {
  const found = new Map<string, [Path, string, string | null]>()
  for (const error of errors) {
    // Branches and references of the meta-schema: what they say is said by the errors inside them.
    if (/^(\$ref|\$dynamicRef|allOf|if|then)$/.test(error.keyword) || found.has(error.instancePath)) continue
    const at = fromPointer(error.instancePath)
    const got = valueAt(schema, at)
    if (at.at(-1) === 'type' || at.at(-2) === 'type') {
      const hint = typeof got === 'string' ? didYouMean(got, TYPES) : null
      found.set(error.instancePath, [
        at,
        `is no type of JSON Schema, got ${showValue(got)}`,
        hint ?? `The types are ${TYPES.join(', ')}.`,
      ])
    } else {
      found.set(error.instancePath, [at, `${error.message ?? 'is not allowed'}, got ${showValue(got)}`, null])
    }
  }
  return [...found.values()]
}

/** Warnings for what a schema may hold but hardly means: a misspelled keyword, a required name that is no property. */
function hintKeywords(schema: Readonly<Record<string, unknown>>, path: Path, report: Report): void {
  for (const keyword of Object.keys(schema)) {
    if (KEYWORDS.includes(keyword) || keyword.startsWith('x-')) continue
    const near = nearest(keyword, KEYWORDS)
    const hint = near === null ? 'Validators ignore it.' : `did you mean "${near}"?`
    report.add(
      'warning',
      report.positions.key([...path, keyword]),
      `${formatPath([...path, keyword])} is no keyword of JSON Schema`,
      hint,
    )
  }
  const { properties, required } = schema
  if (!isRecord(properties) || !Array.isArray(required)) return
  required.forEach((name, index) => {
    if (typeof name !== 'string' || Object.hasOwn(properties, name)) return
    const place = report.positions.value([...path, 'required', index])
    const severity = schema.additionalProperties === false ? 'error' : 'warning'
    report.add(
      severity,
      place,
      `required names "${name}", which is no property`,
      didYouMean(name, Object.keys(properties)),
    )
  })
}
