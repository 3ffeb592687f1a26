import { SluiceError } from '../errors.ts'

/** Mappings and lists within each other: more is no spec, and would fill the stack of whatever walks it. */
const DEPTH = 64

/**
 * Throws SluiceError `request_invalid` where a JSON value is nested deeper than any spec is, or holds the character NUL, which no database and no file
 * name takes.
 */
export function assertPlain(part: string, value: unknown): void {
  const left: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next.value === 'string' && next.value.includes('\0'))
      throw refusal(part, 'a text holds the character NUL')
    if (typeof next.value !== 'object' || next.value === null) continue
    const depth = next.depth + 1
    if (depth > DEPTH) throw refusal(part, `it is nested deeper than ${DEPTH} levels`)
    for (const [key, each] of Object.entries(next.value)) {
      if (key.includes('\0')) throw refusal(part, 'a name holds the character NUL')
      left.push({ value: each, depth })
    }
  }
}

function refusal(part: string, what: string): SluiceError {
  return new SluiceError('request_invalid', `${part}: ${what}`)
}
