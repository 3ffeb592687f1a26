import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../runtime.ts'

/** Bytes of a key's secret: nobody guesses it, so that a plain hash of it is safe to keep. */
export const SECRET_BYTES = 32

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
const API_KEY = new RegExp(`^slk_(${UUID})_([A-Za-z0-9_-]{43})$`)

/** A key as its owner gets it, once, and what is kept of it. */
export interface MintedKey {
  /** `slk_<id>_<secret>`. */
  readonly text: string
  /** sha-256 (hex) of the secret. */
  readonly secretHash: string
}

/** What a key says of itself: which it is, and the proof. */
export interface GivenKey {
  readonly id: string
  readonly secret: string
}

/** Makes the key of this id (`key_` + UUIDv7) over `SECRET_BYTES` random bytes. */
export function mintApiKey(id: string, random: Uint8Array): MintedKey {
  const secret = Buffer.from(random).toString('base64url')
  return { text: `slk_${id.slice('key_'.length)}_${secret}`, secretHash: sha256(secret) }
}

/** Takes a key apart; `null`: the text is none. Whether it is known, and the right one, is not looked at. */
export function parseApiKey(text: string): GivenKey | null {
  const [, uuid, secret] = API_KEY.exec(text) ?? []
  return uuid === undefined || secret === undefined ? null : { id: `key_${uuid}`, secret }
}

/** Whether the secret is that of which the hash was kept; takes as long for one that is almost right as for any other. */
export function secretMatches(secret: string, secretHash: string): boolean {
  const [given, kept] = [Buffer.from(sha256(secret), 'hex'), Buffer.from(secretHash, 'hex')]
  return given.length === kept.length && timingSafeEqual(given, kept)
}
