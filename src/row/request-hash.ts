import { hash } from 'node:crypto'
import type { JsonSchema, ModelRequest, ModelTarget } from '../domain/request.ts'
import { canonicalJson } from './json-text.ts'

/**
 * The key under which an answer may be reused: sha-256 (hex) over the canonical JSON of our normalised request. Equal for equal requests in
 * whatever order their keys stand; another for any other text, model, base URL, parameter or schema. The name of the key's variable is not
 * part of it: whose account pays changes no answer.
 */
export function requestHash(request: ModelRequest): string {
  const messages = request.messages.map(({ role, text }) => ({ role, text }))
  const system = JSON.stringify(request.system)
  return hash(
    'sha256',
    `{"messages":${JSON.stringify(messages)},"schema":${schemaKey(request.schema)},"system":${system},"target":${targetKey(request.target)}}`,
    'hex',
  )
}

/** A job has one schema and few targets: their part is computed once for each object. Both are immutable. */
const schemaKeys = new WeakMap<object, string>()
const targetKeys = new WeakMap<ModelTarget, string>()

function schemaKey(schema: JsonSchema | null): string {
  if (schema === null || typeof schema === 'boolean') return String(schema)
  return remembered(schemaKeys, schema, () => JSON.stringify(hash('sha256', canonicalJson(schema), 'hex')))
}

function targetKey(target: ModelTarget): string {
  return remembered(targetKeys, target, () => {
    const { id, baseUrl, params } = target
    return canonicalJson({ id, baseUrl, params })
  })
}

function remembered<K extends object>(known: WeakMap<K, string>, key: K, compute: () => string): string {
  const found = known.get(key)
  if (found !== undefined) return found
  const computed = compute()
  known.set(key, computed)
  return computed
}
