import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { type Finding, SluiceError } from '../errors.ts'
import { didYouMean, oneOf } from '../spec/nearest.ts'
import { formatPath, fromPointer } from '../spec/positions.ts'
import { isRecord, valueAt } from '../spec/record.ts'
import { showValue } from '../spec/secret.ts'

/** The parts of a request, as messages call them. */
const PARTS: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
}

/** More findings than that help nobody, and cost. */
const MOST_FINDINGS = 20

const strict = { allErrors: true, strict: true, allowUnionTypes: true, verbose: true } as const
// A body says of its values what they are; in an address everything is text.
const bodies = new Ajv2020({ ...strict, useDefaults: true })
const addresses = new Ajv2020({ ...strict, useDefaults: true, coerceTypes: 'array' })

/** Compiles the schema of a part of a request into a check of it: whatever is not as it says is refused, and nothing is left out in silence. */
export const compileCheck: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validate = compileSchema(schema, httpPart)
  const isOptional = '~optional' in schema
  return (value: unknown) => {
    if (isOptional && (value === undefined || value === null)) return { value: undefined }
    if (validate(value)) return { value }
    if (value === undefined || value === null)
      return { error: new SluiceError('request_invalid', 'body: there is none') }
    return { error: refusal(PARTS[httpPart] ?? httpPart, validate.errors ?? [], value) }
  }
}

/** Checks a value of a body against the one schema that it is to fit. Throws SluiceError `request_invalid` with all findings. */
export function bodyCheck(schema: TSchema): (value: unknown) => void {
  const validate = compileSchema(schema, 'body')
  return (value) => {
    if (!validate(value)) throw refusal('body', validate.errors ?? [], value)
  }
}

/** Compiles the schema of a part of a request: in addresses, where everything is text, values are what the schema asks for as far as they can be. */
export function compileSchema(schema: TSchema, httpPart: string): ValidateFunction {
  return (httpPart === 'body' ? bodies : addresses).compile(schema)
}

function refusal(part: string, errors: readonly ErrorObject[], value: unknown): SluiceError {
  const findings = findingsOf(part, errors, value)
  const [first] = findings
  const message = findings.length === 1 && first !== undefined ? first.message : `${findings.length} things are wrong`
  return new SluiceError('request_invalid', `${part}: ${message}`, {
    findings,
    ...(findings.length === 1 && first?.hint && { hint: first.hint }),
  })
}

function findingsOf(part: string, errors: readonly ErrorObject[], value: unknown): readonly Finding[] {
  // What is said of the branches of a choice is noise beside what the choice as a whole must be.
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ schemaPath }) => `${schemaPath}/`)
  const own = errors.filter(({ schemaPath }) => !choices.some((choice) => schemaPath.startsWith(choice)))
  return own.slice(0, MOST_FINDINGS).map((error) => findingOf(part, error, value))
}

function findingOf(part: string, error: ErrorObject, value: unknown): Finding {
  const path = fromPointer(error.instancePath)
  const finding = (message: string, hint: string | null): Finding => ({
    severity: 'error',
    place: { file: part, line: null, column: null },
    message,
    hint,
  })
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params.additionalProperty)
    const properties = (error.parentSchema as { readonly properties?: object } | undefined)?.properties ?? {}
    const known = Object.keys(properties)
    const inside = path.length > 0 ? ` in ${formatPath(path)}` : ''
    return finding(`unknown name ${showValue(name)}${inside}`, didYouMean(name, known) ?? `Known: ${known.join(', ')}.`)
  }
  if (error.keyword === 'required') {
    return finding(`${formatPath([...path, String(error.params.missingProperty)])} is missing`, null)
  }
  const got = valueAt(value, path)
  const name = path.length === 0 ? 'it' : formatPath(path)
  return finding(`${name} ${expected(error)}, got ${showValue(got)}`, nearOf(error, got))
}

/** What a value that is refused must be: `must be integer`. */
export function expected(error: ErrorObject): string {
  const choice = choiceOf(error)
  if (choice !== null) return `must be ${oneOf(choice)}`
  return error.message ?? 'is not allowed'
}

function nearOf(error: ErrorObject, got: unknown): string | null {
  const choice = choiceOf(error)
  return choice === null || typeof got !== 'string' ? null : didYouMean(got, choice)
}

/** The texts among which a value must be; `null`: the schema asks for something else. */
function choiceOf({ parentSchema }: ErrorObject): readonly string[] | null {
  if (!isRecord(parentSchema)) return null
  if (Array.isArray(parentSchema.enum)) return parentSchema.enum.map(String)
  if (!Array.isArray(parentSchema.anyOf)) return null
  const constants = parentSchema.anyOf.map((each: unknown) => (isRecord(each) ? each.const : undefined))
  return constants.every((each) => typeof each === 'string') ? constants : null
}
