interface ReviverContext {
  /** The number, string or literal as it stands in the text. */
  readonly source?: string
}

/** Present in every Node that sluice runs on, missing in TypeScript's library so far: https://tc39.es/proposal-json-parse-with-source/ */
const exact = JSON as unknown as {
  rawJSON(text: string): unknown
  parse(text: string, reviver: (key: string, value: unknown, context: ReviverContext) => unknown): unknown
}

/** Compact JSON of a value; `bigint` goes out with all its digits. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch {
    return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? exact.rawJSON(String(part)) : part))
  }
}

/** JSON with every object's keys sorted: equal values, equal text, in whatever order they were written. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return jsonText(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}

/** Parses strict JSON; `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * `value` as parsed from `text`, for writing it out again: where `text` holds numbers that a double may round, numbers keep their digits.
 */
export function withExactNumbers(text: string, value: unknown): unknown {
  if (!/[\d.]{16}|\d[eE][+-]?\d{3}/.test(text)) return value
  return exact.parse(text, (_key, part, context) =>
    typeof part === 'number' && context.source !== undefined ? exact.rawJSON(context.source) : part,
  )
}

/** A string with the colon that makes it a key, or a brace. */
const KEY_OR_BRACE = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g

/** The first key that stands twice in one object of `text`, which must be strict JSON; `null` when every key stands once. */
export function duplicateKey(text: string): string | null {
  const open: Set<string>[] = []
  for (const match of text.matchAll(KEY_OR_BRACE)) {
    const [found, colon] = match
    if (found === '{') open.push(new Set())
    else if (found === '}') open.pop()
    else if (colon !== undefined) {
      const key = JSON.parse(found.slice(0, -colon.length)) as string
      const keys = open.at(-1)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
  }
  return null
}
