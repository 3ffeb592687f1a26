import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { didYouMean, oneOf } from '../spec/nearest.ts'
import type { Source } from './source.ts'

/** The row's id as the text of its key value; `null` where the value is missing, empty, or no single value. */
export function keyOf(value: Value | undefined): string | null {
  if (value === null || value === undefined || typeof value === 'object') return null
  const text = String(value)
  return text === '' ? null : text
}

/** The place of `input.key` among the columns; `null` without one. Throws `input_invalid` with the nearest name when it is not there. */
export function keyColumnOf(key: string | null, { columns }: Pick<Source, 'columns'>): number | null {
  if (key === null) return null
  const at = columns.indexOf(key)
  if (at >= 0) return at
  const near = didYouMean(key, columns)
  const known = columns.length === 0 ? 'There are no columns.' : `It must be ${oneOf(columns)}.`
  throw new SluiceError('input_invalid', `input.key: the input has no column "${key}"`, {
    hint: near === null ? known : `${near[0]?.toUpperCase()}${near.slice(1)}`,
  })
}
