import { type Finding, SluiceError } from '../../errors.ts'
import type { ServeLimits } from '../../serve-config.ts'
import { isRecord, valueAt } from '../../spec/record.ts'

/** Names and tags in one template: reading it takes the longer the more there are, and the server waits for it. */
const MOST_PLACES = 2_000

/**
 * Throws SluiceError `spec_invalid` where a template of a spec document is longer, or its output schema larger or deeper, than the server takes: before
 * anything is compiled.
 */
export function assertSpecSize(document: unknown, limits: ServeLimits): void {
  const findings = [...longTemplates(document, limits), ...largeSchema(document, limits)]
  const [first] = findings
  if (first === undefined) return
  const message = findings.length === 1 ? first.message : `${findings.length} parts of the spec are too large`
  throw new SluiceError('spec_invalid', message, { findings, hint: 'Shorten it, or ask who runs the server.' })
}

function longTemplates(document: unknown, { templateChars }: ServeLimits): Finding[] {
  const checks = valueAt(document, ['output', 'checks'])
  const templates: readonly (readonly [string, unknown])[] = [
    ['prompt.system', valueAt(document, ['prompt', 'system'])],
    ['prompt.user', valueAt(document, ['prompt', 'user'])],
    ['input.where', valueAt(document, ['input', 'where'])],
    ...(Array.isArray(checks) ? checks : []).map(
      (check: unknown, at) => [`output.checks[${at}].that`, isRecord(check) ? check.that : null] as const,
    ),
  ]
  return templates.flatMap(([name, text]) => {
    if (typeof text !== 'string') return []
    if (text.length > templateChars) {
      return [finding(`${name} has ${text.length} characters; this server takes ${templateChars}`)]
    }
    const places = text.match(/\{[{%]/g)?.length ?? 0
    if (places <= MOST_PLACES) return []
    return [finding(`${name} has ${places} places for values and tags; this server takes ${MOST_PLACES}`)]
  })
}

function largeSchema(document: unknown, { schemaBytes, schemaDepth }: ServeLimits): Finding[] {
  return ['fields', 'schema'].flatMap((name) => {
    const schema = valueAt(document, ['output', name])
    if (schema === undefined) return []
    const bytes = Buffer.byteLength(JSON.stringify(schema))
    const depth = depthOf(schema)
    return [
      ...(bytes > schemaBytes ? [finding(`output.${name} has ${bytes} bytes; this server takes ${schemaBytes}`)] : []),
      ...(depth > schemaDepth
        ? [finding(`output.${name} is ${depth} levels deep; this server takes ${schemaDepth}`)]
        : []),
    ]
  })
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

function finding(message: string): Finding {
  return { severity: 'error', place: { file: 'spec', line: null, column: null }, message, hint: null }
}
