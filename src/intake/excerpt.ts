import { isUtf8 } from 'node:buffer'
import { cutOffTail } from './encoding.ts'

/** Bytes of a line that could not be read which are kept to show. */
export const EXCERPT_BYTES = 200

/** The first bytes of a line as text for people: what cannot be shown stands as `\x00`. */
export function excerptOf(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, EXCERPT_BYTES))
  const cut = bytes.length > EXCERPT_BYTES ? '…' : ''
  // A character may be cut in half by the cap.
  const whole = view.subarray(0, view.length - (cut === '' ? 0 : cutOffTail(view)))
  if (isUtf8(whole)) return escapeControls(whole.toString('utf8')) + cut
  return escapeControls(view.toString('latin1')).replace(/[\x80-\xff]/g, hex) + cut
}

function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (char) => (char === '\r' ? '\\r' : hex(char)))
}

function hex(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}
