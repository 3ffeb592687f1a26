import { SluiceError } from '../errors.ts'
import type { FileRange } from '../service.ts'

/**
 * The bytes that a `Range` header asks for (RFC 9110, 14.2), of an object of `bytes` bytes; `null`: all of them. Several ranges, and other units, are
 * taken for none, as the RFC allows. Throws `range_unfit` where nothing of it is there.
 */
export function byteRange(header: string | undefined, bytes: number): FileRange | null {
  const parts = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/.exec(header?.trim() ?? '')
  if (parts === null) return null
  const [, first, last, suffix] = parts
  const from = suffix === undefined ? Number(first) : Math.max(0, bytes - Number(suffix))
  const to = last === undefined ? bytes : Math.min(bytes, Number(last) + 1)
  if (last !== undefined && Number(last) < from) return null
  if (from >= to) throw new SluiceError('range_unfit', `there are ${bytes} bytes, and none of those that are asked for`)
  return { from, to }
}
