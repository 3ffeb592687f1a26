import { SluiceError } from '../../errors.ts'

/** The error for a part of the contract that is not built yet: refused by name, never absent in silence. Exit code 2. */
export function notYetSupported(what: string, hint = 'It is planned; nothing was done.'): SluiceError {
  return new SluiceError('not_yet_supported', `\`${what}\` is not yet supported.`, { hint })
}
