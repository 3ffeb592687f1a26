import { SluiceError } from '../errors.ts'

/** Throws SluiceError `file_too_large` where an input comes to more bytes than it may. `what` begins the sentence; `most` undefined: it may come to any number. */
export function refuseLarger(what: string, bytes: number, most: number | undefined): void {
  if (most === undefined || bytes <= most) return
  throw new SluiceError('file_too_large', `${what} more than ${most} bytes`, {
    hint: 'Split it into several. Who runs the server can allow more: limits.unpacked.',
  })
}
