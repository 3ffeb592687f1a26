/** What a key may look like: no part of it begins with a dot, which also keeps half-written files apart. */
const KEY = /^[a-z0-9_-][a-z0-9._-]*(?:\/[a-z0-9_-][a-z0-9._-]*)*$/

/** Whether a blob can have this key. */
export function isBlobKey(key: string): boolean {
  return KEY.test(key)
}

/** The key itself; throws a TypeError where it is none. */
export function blobKey(key: string): string {
  if (!KEY.test(key)) throw new TypeError(`not a blob key: ${JSON.stringify(key)}`)
  return key
}
