/** The objects in a text, and whether one more begins that never ends. */
export interface JsonSlices {
  /** Outermost `{…}`, in order, each balanced outside its strings. */
  readonly slices: readonly string[]
  readonly cutOff: boolean
}

/** Finds the outermost `{…}` of a text around which a model may have written prose, fences or lists. */
export function jsonSlices(text: string): JsonSlices {
  const slices: string[] = []
  let at = text.indexOf('{')
  while (at >= 0) {
    const end = closingBrace(text, at)
    if (end < 0) return { slices, cutOff: true }
    slices.push(text.slice(at, end + 1))
    at = text.indexOf('{', end + 1)
  }
  return { slices, cutOff: false }
}

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' }

/** Position of the bracket that closes the object opened at `start`; -1 when brackets or strings do not end as they began. */
function closingBrace(text: string, start: number): number {
  const expected: string[] = []
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string
    const closing = CLOSING[char]
    if (closing !== undefined) expected.push(closing)
    else if (char === '}' || char === ']') {
      if (expected.pop() !== char) return -1
      if (expected.length === 0) return at
    } else if (char === '"' || (char === "'" && opensString(text, at))) {
      at = closingQuote(text, at)
      if (at < 0) return -1
    }
  }
  return -1
}

/** Position of the quote that closes the string opened at `start`; -1 when none does. An apostrophe closes only before punctuation. */
function closingQuote(text: string, start: number): number {
  const quote = text[start] as string
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === quote && (quote === '"' || /^\s*[,:}\]]/.test(text.slice(at + 1, at + 40)))) return at
  }
  return -1
}

/** An apostrophe opens a string only where a key or a value begins. */
function opensString(text: string, at: number): boolean {
  return /[{[,:]\s*$/.test(text.slice(Math.max(0, at - 40), at))
}
