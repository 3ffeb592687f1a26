import { Type } from 'typebox'
import type { SluiceError } from '../../errors.ts'
import { invalidParam } from './openai-error.ts'

/** The questions of OpenAI's lists. */
export function listQuery(limits: { readonly default: number; readonly maximum: number }) {
  return {
    after: Type.Optional(Type.String({ maxLength: 64, description: 'The id of the last item of the page before.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, ...limits })),
  }
}

/** The refusal of an `after` that names nothing of this list. */
export function unknownCursor(what: string): SluiceError {
  return invalidParam('after', `Invalid 'after': there is no such ${what} here.`)
}

/** A page as OpenAI's clients walk it; `found` holds one item more than asked for, where there are more. */
export function listPage<T extends { readonly id: string }>(found: readonly T[], limit: number) {
  const data = found.slice(0, limit)
  return {
    object: 'list' as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > limit,
  }
}
