import { Ajv, type ErrorObject } from 'ajv'
import { didYouMean, oneOf } from './nearest.ts'
import { formatPath, fromPointer, type Path, type Report, toPointer } from './positions.ts'
import { isRecord, valueAt, withoutValue } from './record.ts'
import { SPEC_SCHEMA } from './schema.ts'
import { showValue } from './secret.ts'
import { type Shape, shapeAt, shapeWithin } from './shape.ts'

/** The spec's schema as plain JSON Schema. */
export const SPEC_SHAPE = SPEC_SCHEMA as unknown as Shape

/**
 * Reports everything in `value` that the spec's schema does not allow, and everything that is known but not built.
 * Returns what is left without it: each part of the answer has the shape that the schema says, though required ones may be missing.
 */
export function validateShape(value: unknown, report: Report): unknown {
  return isOfSpec(withoutLater(value, report), report)
}

/** The same for a file of any other schema: reports what it does not allow, and returns what is left without it. */
export function createShapeCheck(schema: object): (value: unknown, report: Report) => unknown {
  const isValid = new Ajv({ allErrors: true, strict: false, verbose: true }).compile(schema)
  return (value, report) => {
    let left = value
    if (isValid(left)) return left
    for (const { path, on, message, hint } of problemsOf(isValid.errors ?? [], left, schema as Shape)) {
      const place = on === 'key' ? report.positions.key(path) : report.positions.value(path)
      report.add('error', place, message, hint)
      if (on !== 'missing') left = withoutValue(left, path)
    }
    return left
  }
}

const isOfSpec = createShapeCheck(SPEC_SCHEMA)

/** `value` without the parts and values that are known but not built, each of them reported. */
export function withoutLater(value: unknown, report: Report): unknown {
  return refuseLater(value, SPEC_SHAPE, [], report)
}

function refuseLater(value: unknown, shape: Shape | null, path: Path, report: Report): unknown {
  // `budget: { usd: null }` asks for nothing.
  if (shape === null || value === null) return value
  const name = formatPath(path)
  if (shape.later === true) {
    report.notYet(
      report.positions.key(path),
      `${name} is not yet supported`,
      'Remove it: nothing is ignored in silence.',
    )
    return undefined
  }
  if (Array.isArray(value))
    return value.map((item, index) => refuseLater(item, shapeWithin(shape, index), [...path, index], report))
  if (!isRecord(value)) return value
  const parts = Object.entries(value).map(
    ([key, each]) => [key, refuseLater(each, shapeWithin(shape, key), [...path, key], report)] as const,
  )
  return Object.fromEntries(parts.filter(([, each]) => each !== undefined))
}

interface Problem {
  readonly path: readonly string[]
  readonly on: 'key' | 'value' | 'missing'
  readonly message: string
  readonly hint: string | null
}

function problemsOf(errors: readonly ErrorObject[], value: unknown, root: Shape): Problem[] {
  // What is said of the branches of a choice is noise beside what the choice as a whole must be.
  const choices = errors.filter((error) => error.keyword === 'anyOf').map((error) => `${error.schemaPath}/`)
  const problems = new Map<string, Problem>()
  for (const error of errors) {
    if (choices.some((choice) => error.schemaPath.startsWith(choice))) continue
    const problem = problemOf(error, value, root)
    const id = toPointer(problem.path) + (problem.on === 'missing' ? ' missing' : '')
    if (!problems.has(id)) problems.set(id, problem)
  }
  return [...problems.values()]
}

function problemOf(error: ErrorObject, value: unknown, root: Shape): Problem {
  const path = fromPointer(error.instancePath)
  const shape = error.parentSchema as Shape
  if (error.keyword === 'additionalProperties')
    return unknownKey([...path, String(error.params.additionalProperty)], root)
  if (error.keyword === 'required') return missingKey([...path, String(error.params.missingProperty)], root)
  const got = valueAt(value, path)
  const known = shape.enum?.map(String)
  const message = `${formatPath(path)} ${shape.errorMessage ?? expected(error, shape)}, got ${showValue(got)}`
  const hint = known !== undefined && typeof got === 'string' ? hintAmong(got, known) : hintFor(shape, got)
  return { path, on: 'value', message, hint }
}

function expected(error: ErrorObject, shape: Shape): string {
  if (shape.enum !== undefined && shape.enum.length > 8) return `must be one of ${shape.enum.length} known names`
  if (shape.enum !== undefined) return `must be ${oneOf(shape.enum.map(String))}`
  switch (error.keyword === 'type' ? shape.type : error.keyword) {
    case 'object':
      return 'must be a mapping'
    case 'array':
      return 'must be a list'
    case 'boolean':
      return 'must be true or false'
    case 'string':
      return 'must be text'
    case 'minLength':
    case 'minItems':
      return 'must not be empty'
    default:
      return error.message ?? 'is not allowed'
  }
}

function hintAmong(got: string, known: readonly string[]): string | null {
  return didYouMean(got, known) ?? (known.length > 8 ? `Known: ${known.join(', ')}.` : null)
}

/** What YAML reads as something else than was meant. */
function hintFor(shape: Shape, got: unknown): string | null {
  if (
    shape.type === 'string' &&
    shape.errorMessage === undefined &&
    (typeof got === 'number' || typeof got === 'boolean')
  )
    return `Quote it: "${got}".`
  if (shape.type === 'boolean' && typeof got === 'string') {
    if (/^(yes|on)$/i.test(got)) return 'In YAML 1.2 that is text: write true.'
    if (/^(no|off)$/i.test(got)) return 'In YAML 1.2 that is text: write false.'
  }
  if (shape.type === 'array' && typeof got === 'string') return `Write a list: [${got}].`
  return null
}

/** Names from other tools, where no edit distance would find ours. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  max_tokens: 'max_output_tokens',
  api_key: 'api_key_env',
  max_retries: 'retries',
  template: 'user',
  file: 'source',
  path: 'source',
  url: 'base_url',
  model: 'id',
  mode: 'lane',
  max_usd: 'usd',
}

function unknownKey(path: readonly string[], root: Shape): Problem {
  const key = path.at(-1) ?? ''
  const known = Object.keys(shapeAt(root, path.slice(0, -1))?.properties ?? {})
  const meant = OTHER_NAMES[key] ?? key
  const hint = known.includes(meant)
    ? `did you mean "${meant}"?`
    : (didYouMean(key, known) ?? elsewhere(meant, known, root))
  const inside = path.length > 1 ? ` in ${formatPath(path.slice(0, -1))}` : ''
  return { path, on: 'key', message: `unknown key ${showValue(key)}${inside}`, hint }
}

/** For a key that was put into the wrong block: where it belongs; else what is known here. */
function elsewhere(key: string, known: readonly string[], root: Shape): string {
  const paths = pathsTo(root, key).map((each) => `"${each}"`)
  return paths.length > 0 ? `did you mean ${paths.join(' or ')}?` : `Known here: ${known.join(', ')}.`
}

function missingKey(path: readonly string[], root: Shape): Problem {
  const shape = shapeAt(root, path)
  return { path, on: 'missing', message: `${formatPath(path)} is missing`, hint: shape?.description ?? null }
}

/** Paths of every key of that name, for one that was put in the wrong block. */
function pathsTo(shape: Shape, key: string, path: string[] = []): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, each]) => [
    ...(name === key && each.later !== true ? [formatPath([...path, name])] : []),
    ...pathsTo(each, key, [...path, name]),
  ])
}
