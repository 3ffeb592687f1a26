import type { Spec } from '../domain/spec.ts'
import { fixedText } from '../row/fixed-text.ts'
import type { Report } from '../spec/positions.ts'

/** Bytes of fixed text from which a cache is worth a word: about 1,024 tokens, the shortest beginning that any provider keeps. */
const WORTH_BYTES = 4096

const HINT =
  'Put fixed text first and the row last: providers keep the beginning of a prompt that is the same for every row, and read it from there at a fraction of the price.'

/**
 * Warns where a long fixed text stands after the first name of the row, in the system prompt or in the user's: the provider's cache of prompts
 * cannot use it there. For templates without faults.
 */
export function checkPrefix({ prompt }: Pick<Spec, 'prompt'>, report: Report): void {
  const system = fixedText(prompt.system ?? '')
  const user = fixedText(prompt.user ?? '')
  const userBytes = Buffer.byteLength(user.head) + user.laterBytes
  if (system.row !== null) {
    const wasted = system.laterBytes + userBytes
    if (Buffer.byteLength(system.head) + wasted < WORTH_BYTES || wasted === 0) return
    const { name, line, column } = system.row
    const message = `prompt.system names ${name}: of ${wasted} bytes of fixed text after it, the provider's prompt cache can keep nothing`
    report.add('warning', report.positions.text(['prompt', 'system'], line, column), message, HINT)
    return
  }
  if (user.row === null || user.laterBytes < WORTH_BYTES / 4) return
  if (Buffer.byteLength(system.head) + userBytes < WORTH_BYTES) return
  const { name, line, column } = user.row
  const message = `${user.laterBytes} bytes of fixed text stand after ${name}: the provider's prompt cache cannot keep them`
  report.add('warning', report.positions.text(['prompt', 'user'], line, column), message, HINT)
}
