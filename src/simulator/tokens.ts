/** Bytes of UTF-8 that the simulator counts as one token. */
const BYTES_PER_TOKEN = 4

/** The simulator's count: a fourth of the text's UTF-8 bytes, rounded up. */
export function countTokens(...texts: readonly string[]): number {
  let bytes = 0
  for (const text of texts) bytes += Buffer.byteLength(text)
  return Math.ceil(bytes / BYTES_PER_TOKEN)
}

/** The longest beginning of `text` that is at most `tokens` long, never cut within a character. */
export function firstTokens(text: string, tokens: number): string {
  const bytes = Buffer.from(text)
  let end = tokens * BYTES_PER_TOKEN
  if (bytes.length <= end) return text
  // 10xxxxxx: a byte in the middle of a character.
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end).toString()
}
