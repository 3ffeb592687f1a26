import { jsonrepair } from 'jsonrepair'

/** Escapes that JSON knows; any other backslash is one that a repair would silently drop. */
const STRANGE_ESCAPE = /\\(?!["\\/bfnrt']|u[\da-fA-F]{4})/

/**
 * Mends the punctuation of a balanced piece of almost-JSON: quotes, commas, raw line ends, Python's constants. Words are never touched:
 * what remains without punctuation must be the same, in the same order, before and after. `null`: it cannot be mended so.
 */
export function mendJson(text: string): string | null {
  if (STRANGE_ESCAPE.test(text.replaceAll('\\\\', ''))) return null
  try {
    const mended = jsonrepair(text)
    return wordsOf(text) === wordsOf(mended) ? mended : null
  } catch {
    return null
  }
}

const PYTHON: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null' }

function wordsOf(text: string): string {
  return text
    .replace(/\b(?:True|False|None)\b/g, (word) => PYTHON[word] as string)
    .replace(/\\["'\\/bfnrt]/g, '')
    .replace(/[\s"'“”‘’`´,:{}[\]\\+]/g, '')
}
