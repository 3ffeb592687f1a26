import { formatPath, type Path, type Report } from './positions.ts'
import { isRecord } from './record.ts'

/**
 * A spec from a module as plain JSON: Standard Schemas (`output: z.object(…)`, `output: { schema: z.object(…) }`) become the JSON
 * Schema that they give for themselves, keys that are undefined go, and whatever JSON cannot hold is an error at its path.
 */
export function plainSpec(value: unknown, report: Report): unknown {
  const output = isRecord(value) ? value.output : undefined
  const whole = standardOf(output) === null ? value : { ...(value as object), output: { schema: output } }
  return plain(whole, [], report, [])
}

interface Converter {
  readonly output: (options: { target: string }) => unknown
}

/** The `~standard` of a schema of any library that implements Standard Schema; schemas are functions in some. */
function standardOf(value: unknown): { readonly vendor: unknown; readonly jsonSchema: unknown } | null {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value))
    return null
  const standard = value['~standard']
  return isRecord(standard) ? { vendor: standard.vendor, jsonSchema: standard.jsonSchema } : null
}

function plain(value: unknown, path: Path, report: Report, above: readonly unknown[]): unknown {
  const standard = standardOf(value)
  if (standard !== null) return fromStandard(standard, path, report)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (above.includes(value)) return refuse('a value that holds itself', path, report)
  if (Array.isArray(value)) return value.map((item, index) => plain(item, [...path, index], report, [...above, value]))
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined
  if (!isRecord(value) || (prototype !== Object.prototype && prototype !== null))
    return refuse(kindOf(value), path, report)
  const kept = Object.entries(value).filter(([, each]) => each !== undefined)
  return Object.fromEntries(kept.map(([key, each]) => [key, plain(each, [...path, key], report, [...above, value])]))
}

function fromStandard(
  standard: { readonly vendor: unknown; readonly jsonSchema: unknown },
  path: Path,
  report: Report,
): unknown {
  const name = formatPath(path)
  const { jsonSchema } = standard
  if (!isRecord(jsonSchema) || typeof jsonSchema.output !== 'function') {
    report.error(
      path,
      `${name}: this schema of ${String(standard.vendor)} gives no JSON Schema`,
      'zod 4.2, ArkType 2.1.28 and Valibot 1.2 (toStandardJsonSchema) or newer do.',
    )
    return undefined
  }
  try {
    return (jsonSchema as unknown as Converter).output({ target: 'draft-2020-12' })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    report.error(
      path,
      `${name}: the schema cannot be written as JSON Schema: ${message}`,
      'Transforms and custom types have no place in an answer; use output.checks for rules.',
    )
    return undefined
  }
}

function refuse(kind: string, path: Path, report: Report): undefined {
  report.error(path, `${formatPath(path)} holds ${kind}: a spec is plain JSON`)
  return undefined
}

function kindOf(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null)
    return `an object of the class ${value.constructor?.name ?? 'unknown'}`
  return typeof value === 'number' ? String(value) : `a ${typeof value}`
}
