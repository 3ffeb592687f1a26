import type { JsonSchema, ModelRequest } from '../domain/request.ts'

/** Bytes of what a request says: its texts, and its schema as JSON. What tokens are counted on. */
export function requestBytes({ system, messages, schema }: ModelRequest): number {
  let bytes = system === null ? 0 : Buffer.byteLength(system)
  for (const { text } of messages) bytes += Buffer.byteLength(text)
  return bytes + schemaBytes(schema)
}

/** A job has one schema: it is measured once. */
const measured = new WeakMap<object, number>()

function schemaBytes(schema: JsonSchema | null): number {
  if (schema === null || typeof schema === 'boolean') return 0
  const known = measured.get(schema)
  if (known !== undefined) return known
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  measured.set(schema, bytes)
  return bytes
}
