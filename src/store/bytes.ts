/** Hashes and ids are text in the domain and bytes in the tables: half the size in every row and index. */

/** A sha-256 in hex as its 32 bytes. Throws for anything else: half a hash would be worse than none. */
export function hashBytes(hex: string): Uint8Array {
  const bytes = Buffer.from(hex, 'hex')
  if (bytes.length !== 32 || hex.length !== 64) throw new TypeError(`not a sha-256 in hex: ${JSON.stringify(hex)}`)
  return bytes
}

/** The hex that `hashBytes` was given. */
export function hashText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** A UUID as its 16 bytes, which sort as the text does. */
export function uuidBytes(uuid: string): Uint8Array {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  if (bytes.length !== 16 || uuid.length !== 36) throw new TypeError(`not a UUID: ${JSON.stringify(uuid)}`)
  return bytes
}

/** The text that `uuidBytes` was given. */
export function uuidText(bytes: Uint8Array): string {
  const hex = hashText(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * The part of a request's hash that finds an answer: 16 of its 32 bytes, since this table is written in random order and its size is what a
 * row's commit costs most. A hit is believed only when the row's whole hash is the same.
 */
export function requestKey(requestHash: Uint8Array): Uint8Array {
  return requestHash.subarray(0, 16)
}
