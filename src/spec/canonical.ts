import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'
import { sortedData } from './json-schema.ts'
import { deepFreeze, isRecord } from './record.ts'

/**
 * The one JSON text of a spec: keys sorted, no blanks, every default in it. Only the schema of the output keeps its own order
 * (see `canonicalSchema`): there the order of properties has a meaning. Equal specs have equal texts, however they were written.
 */
export function canonicalJson(spec: Spec): string {
  const { schema, ...output } = spec.output
  const sorted = sortedData({ ...spec, output }) as Readonly<Record<string, unknown>>
  const parts = Object.entries(sorted).map(([key, value]) => [
    key,
    key === 'output' ? withSchema(value, schema) : value,
  ])
  return JSON.stringify(Object.fromEntries(parts))
}

function withSchema(output: unknown, schema: unknown): unknown {
  // `schema` is the last key of the block in sorted order.
  return { ...(output as object), schema }
}

/** The hash of a spec's canonical JSON, in hex: its version. */
export function specHash(canonical: string): string {
  return sha256(canonical)
}

/** The spec that a canonical JSON holds, frozen. Throws SluiceError `store_version` where it was written by a newer sluice. */
export function specFromCanonical(json: string): Spec {
  const value: unknown = JSON.parse(json)
  if (!isRecord(value) || value.version !== 1) {
    throw new SluiceError('store_version', 'a stored spec was written by a newer sluice')
  }
  return deepFreeze(value as unknown as Spec)
}
