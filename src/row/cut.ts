const encoder = new TextEncoder()

/** The longest beginning of `text` that takes at most `maxBytes` bytes of UTF-8; it ends between two code points. */
export function cutBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text
  if (maxBytes <= 0) return ''
  const { read } = encoder.encodeInto(text, new Uint8Array(Math.min(maxBytes, text.length * 3)))
  return read === text.length ? text : text.slice(0, read)
}

/** `text` as an excerpt for people: one line, at most `maxChars` characters, with an ellipsis where something is missing. */
export function excerpt(text: string, maxChars: number): string {
  const line = text
    .slice(0, maxChars * 4)
    .replace(/\s+/g, ' ')
    .trim()
  const chars = Array.from(line)
  if (chars.length <= maxChars && text.length <= maxChars * 4) return line
  return `${chars.slice(0, maxChars - 1).join('')}…`
}

/** `text` as every database holds it: no lone surrogates and no NUL. What is judged again later must be what was judged first. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}
