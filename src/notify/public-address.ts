import type { LookupAddress } from 'node:dns'
import { isPublic } from '../spec/public-address.ts'

/** Looks up all addresses of a name. Rejects where there is none. */
export type LookUp = (hostname: string) => Promise<readonly LookupAddress[]>

/** A host of which no address, or not every address, may be sent to. Its message names no address. */
export class PrivateAddress extends Error {
  constructor() {
    super('the address lies in a private network; SLUICE_NOTIFY_PRIVATE=1 allows that')
    this.name = 'PrivateAddress'
  }
}

/**
 * The addresses of a URL's host, all of them public unless `allowPrivate`. A name with one private address is refused as a whole: whoever holds
 * the name chooses which of its addresses is taken. Rejects with `PrivateAddress`, or as the look-up does.
 */
export async function addressesOf(
  hostname: string,
  allowPrivate: boolean,
  lookUp: LookUp,
): Promise<readonly LookupAddress[]> {
  const found = await lookUp(hostname.replace(/^\[(.*)\]$/, '$1'))
  if (found.length === 0) throw new Error('the host has no address')
  if (!allowPrivate && !found.every(isPublic)) throw new PrivateAddress()
  return found
}
