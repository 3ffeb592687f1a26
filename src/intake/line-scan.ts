export const LF = 0x0a
export const CR = 0x0d

/** Where a line ends. A mutable slot: a million lines need no million objects. */
export interface LineSlot {
  /** Behind its last byte, line end not included. */
  end: number
  /** Where the next one begins. */
  next: number
}

/**
 * Finds the end of the line that begins at `start`; `false` when `bytes` end inside of it (never when `final`). `newline`: LF, alone or after CR;
 * or CR, in files that know no LF.
 */
export function scanLine(bytes: Buffer, start: number, final: boolean, newline: number, line: LineSlot): boolean {
  const found = bytes.indexOf(newline, start)
  if (found < 0 && !final) return false
  // A CR that ends the bytes may be half of a line end.
  if (found >= 0 && newline === CR && found + 1 >= bytes.length && !final) return false
  const at = found < 0 ? bytes.length : found
  line.end = at > start && newline === LF && bytes[at - 1] === CR ? at - 1 : at
  line.next = afterLineEnd(bytes, at)
  return true
}

/** Behind the line end that stands at `at`: CR, LF or both; never past the end of the bytes. */
export function afterLineEnd(bytes: Buffer, at: number): number {
  const pair = bytes[at] === CR && bytes[at + 1] === LF
  return Math.min(bytes.length, at + (pair ? 2 : 1))
}
