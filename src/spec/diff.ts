import { toPointer } from './positions.ts'
import { isRecord } from './record.ts'

/** One thing in which two documents differ. */
export interface Difference {
  /** Where, as a JSON pointer. */
  readonly path: string
  readonly change: 'added' | 'removed' | 'changed'
  /** `undefined`: it was not there. */
  readonly before: unknown
  readonly after: unknown
}

/** In what two JSON documents differ, in the order of their keys: the smallest mappings that differ are told apart, lists item by item. */
export function differences(before: unknown, after: unknown): readonly Difference[] {
  return differencesAt([], before, after)
}

function differencesAt(path: readonly (string | number)[], before: unknown, after: unknown): Difference[] {
  if (before === undefined)
    return after === undefined ? [] : [{ path: toPointer(path), change: 'added', before, after }]
  if (after === undefined) return [{ path: toPointer(path), change: 'removed', before, after }]
  if (Array.isArray(before) && Array.isArray(after)) {
    const indices = Array.from({ length: Math.max(before.length, after.length) }, (_, index) => index)
    return indices.flatMap((index) => differencesAt([...path, index], before[index], after[index]))
  }
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => differencesAt([...path, key], own(before, key), own(after, key)))
  }
  return Object.is(before, after) ? [] : [{ path: toPointer(path), change: 'changed', before, after }]
}

function own(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
