import { hash } from 'node:crypto'

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
  const parts = [uuid.slice(0, 8), uuid.slice(9, 13), uuid.slice(14, 18), uuid.slice(19, 23), uuid.slice(24)]
  const bytes = Buffer.from(parts.join(''), 'hex')
  if (bytes.length !== 16 || uuid.length !== 36) throw new TypeError(`not a UUID: ${JSON.stringify(uuid)}`)
  return bytes
}

/** The text that `uuidBytes` was given. */
export function uuidText(bytes: Uint8Array): string {
  const hex = hashText(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * Under what an answer is found: 16 bytes of a hash over tenant, scope and request. The table of answers is written in random order, so that its
 * size is what a commit costs; a hit is believed only when the row's own tenant and request are the same.
 */
export function answerKey(tenantNo: number, scope: string, requestHash: string): Uint8Array {
  return hash('sha256', `${tenantNo}\n${scope}\n${requestHash}`, 'buffer').subarray(0, 16)
}
