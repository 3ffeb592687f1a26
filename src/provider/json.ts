/** A JSON object from outside, unchecked. */
export type Fields = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object under `key`, else an empty one. */
export function recordIn(value: unknown, key: string): Fields {
  const inner = isRecord(value) ? value[key] : undefined
  return isRecord(inner) ? inner : {}
}

/** The list under `key`, else an empty one. */
export function listIn(value: unknown, key: string): readonly unknown[] {
  const inner = isRecord(value) ? value[key] : undefined
  return Array.isArray(inner) ? inner : []
}

/** The finite number under `key`, else `null`. */
export function numberIn(value: unknown, key: string): number | null {
  const inner = isRecord(value) ? value[key] : undefined
  return typeof inner === 'number' && Number.isFinite(inner) ? inner : null
}

/** The text under `key` if there is any, else `null`. */
export function textIn(value: unknown, key: string): string | null {
  const inner = isRecord(value) ? value[key] : undefined
  return typeof inner === 'string' && inner !== '' ? inner : null
}

/** `text` as JSON, or `undefined` where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
