import type { ErrorObject } from 'ajv/dist/2020.js'
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import type { SluiceError } from '../../errors.ts'
import { formatPath, fromPointer } from '../../spec/positions.ts'
import { valueAt } from '../../spec/record.ts'
import { showValue } from '../../spec/secret.ts'
import { compileSchema, expected } from '../request-check.ts'
import { invalidParam } from './openai-error.ts'

/** A parameter below which the names are the caller's own. */
const METADATA = 'metadata'

/** Compiles a route's schema into a check that tells of the first thing that is wrong as OpenAI does: which parameter it is, and what is wrong with it. */
export const compileParamCheck: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validate = compileSchema(schema, httpPart)
  return (value: unknown) => {
    const given = value ?? {}
    if (validate(given)) return { value: given }
    // What is wrong with a name is said twice: of the name, and of what it stands in.
    const first = validate.errors?.find(({ propertyName }) => propertyName === undefined)
    return { error: first === undefined ? invalidParam('body', 'It cannot be read.') : paramError(first, given) }
  }
}

function paramError(error: ErrorObject, value: unknown): SluiceError {
  const path = fromPointer(error.instancePath)
  const at = (name: unknown) => formatPath([...path, String(name)])
  if (error.keyword === 'required') {
    const name = at(error.params.missingProperty)
    return invalidParam(name, `Missing required parameter: '${name}'.`)
  }
  if (error.keyword === 'additionalProperties') {
    const name = at(error.params.additionalProperty)
    return invalidParam(name, `Unknown parameter: '${name}'.`)
  }
  const name = formatPath(path)
  if (path.length === 0) return invalidParam('body', `Invalid request: it ${expected(error)}.`)
  return invalidParam(path[0] === METADATA ? METADATA : name, `Invalid '${name}': ${whatIsWrong(error, value)}.`)
}

function whatIsWrong(error: ErrorObject, value: unknown): string {
  const { keyword, params } = error
  const got = valueAt(value, fromPointer(error.instancePath))
  switch (keyword) {
    case 'maxProperties':
      return `it may have ${params.limit} pairs at the most, and has ${Object.keys(got as object).length}`
    case 'propertyNames':
      return `its name ${showValue(params.propertyName)} is too long`
    case 'maxLength':
      return `it may have ${params.limit} characters at the most, and has ${[...String(got)].length}`
    case 'minLength':
      return 'it is empty'
    default:
      return `it ${expected(error)}, and is ${showValue(got)}`
  }
}
