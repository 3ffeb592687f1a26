import stringWidth from 'string-width'

// C0 and C1 controls and the marks that turn the writing direction: in a cell or a reply they would steer the terminal.
const STEERING = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Text from rows, replies and messages as one line that is safe to show: breaks become a space, whatever steers a terminal is dropped. */
export function printable(text: string): string {
  return text
    .replace(/[\s\u2028\u2029]+/gu, ' ')
    .replace(STEERING, '')
    .trim()
}

/** Text of several lines that is safe to show: line breaks and tabs stay. */
export function printableLines(text: string): string[] {
  return text.split(/\r\n|[\n\r\u2028\u2029]/u).map((line) => line.replaceAll('\t', '    ').replace(STEERING, ''))
}

/** Columns that plain text takes up in a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** Plain text cut to at most `width` columns, never within a character; what was cut ends in `…`. */
export function clip(text: string, width: number): string {
  if (width <= 0) return ''
  if (widthOf(text) <= width) return text
  let kept = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    const columns = widthOf(segment)
    if (used + columns > width - 1) break
    kept += segment
    used += columns
  }
  return `${kept}…`
}

/** Plain text filled up with spaces to `width` columns, at its end or (`right`) at its start. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const gap = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + gap : gap + text
}
