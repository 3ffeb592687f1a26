/** C0 and C1 controls and the marks that turn the writing direction: from a message they would steer the reader's terminal. */
const STEERING = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Characters of a text that a report quotes. */
const QUOTED_CHARACTERS = 300

/** Text as one line in which no character means anything to Markdown or to a terminal. */
export function plain(text: string): string {
  return oneLine(text).replace(/[\\`*<[\]|]/g, (mark) => `\\${mark}`)
}

/** Foreign text as one line of code: shown as it is, cut where it is long, and never interpreted. */
export function code(text: string): string {
  const line = oneLine(text)
  const shown = line.length > QUOTED_CHARACTERS ? `${line.slice(0, QUOTED_CHARACTERS).trimEnd()}…` : line
  const longest = Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length))
  const fence = '`'.repeat(longest + 1)
  // A backtick at an end would become part of the fence.
  const padding = shown === '' || shown.startsWith('`') || shown.endsWith('`') ? ' ' : ''
  return `${fence}${padding}${shown}${padding}${fence}`
}

/** A table whose columns line up as plain text too; columns named in `right` hold numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll(/(?<!\\)\|/g, '\\|')))
  const widths = head.map((_, at) => Math.max(3, ...cells.map((row) => (row[at] ?? '').length)))
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  const padded = cells.map((row) =>
    line(
      widths.map((width, at) => (right.includes(at) ? (row[at] ?? '').padStart(width) : (row[at] ?? '').padEnd(width))),
    ),
  )
  const rule = line(widths.map((width, at) => (right.includes(at) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))))
  return [padded[0], rule, ...padded.slice(1)].join('\n')
}

function oneLine(text: string): string {
  return text
    .replace(/[\s\u2028\u2029]+/gu, ' ')
    .replace(STEERING, '')
    .trim()
}
