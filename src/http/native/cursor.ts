import { Type } from 'typebox'
import { SluiceError } from '../../errors.ts'

/** Items of a page where nobody says, and at the most. */
const LIMIT = { default: 50, maximum: 500 } as const

/** The questions of every list. */
export const PAGE_QUERY = {
  limit: Type.Optional(Type.Integer({ minimum: 1, ...LIMIT, description: 'Items of the page at the most.' })),
  cursor: Type.Optional(Type.String({ maxLength: 256, description: 'As the page before gave it.' })),
}

/** How many items are asked for. */
export function limitOf({ limit }: { readonly limit?: number }): number {
  return limit ?? LIMIT.default
}

/** A place in a list as callers carry it: it says nothing to them. `kind` keeps the cursors of different lists apart. */
export function writeCursor(kind: string, place: string | number | null): string | null {
  return place === null ? null : Buffer.from(`${kind}:${place}`).toString('base64url')
}

/** The place that a cursor names; `null`: there is none. Throws SluiceError `request_invalid`. */
export function readCursor(kind: string, cursor: string | undefined): string | null {
  if (cursor === undefined) return null
  const text = Buffer.from(cursor, 'base64url').toString('utf8')
  if (text.startsWith(`${kind}:`) && !text.includes('\0')) return text.slice(kind.length + 1)
  throw badCursor()
}

/** The number that a cursor names, from 0; `null`: there is none. Throws SluiceError `request_invalid`. */
export function readNumberCursor(kind: string, cursor: string | undefined): number | null {
  const place = readCursor(kind, cursor)
  if (place === null) return null
  if (/^\d{1,15}$/.test(place)) return Number(place)
  throw badCursor()
}

function badCursor(): SluiceError {
  return new SluiceError('request_invalid', 'query: cursor is none of this list', { hint: 'Begin anew without it.' })
}
