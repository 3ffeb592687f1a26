import pg from 'pg'

const INT8 = 20
const NUMERIC = 1700

/**
 * Integers of 64 bits and sums of them as numbers, where the driver would give text. Throws for one that a number cannot hold exactly: a
 * rounded amount would be worse than none.
 */
function exactNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) && !text.includes('.'))
    throw new RangeError(`${text} is no number that can be held exactly`)
  return value
}

/** How values of the database are read. Bytes come as `Buffer`, which is a `Uint8Array`. */
export const VALUE_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC
      ? exactNumber
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

/** Text of PostgreSQL holds every character but one: a NUL becomes U+FFFD, here as in all that is compared with it. */
export function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value
  return Array.isArray(value) ? value.map(storable) : value
}
