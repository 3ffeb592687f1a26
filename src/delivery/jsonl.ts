import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'

/** Writes a row's values as one line of JSON: an object with the columns as keys, in their order, numbers exact. */
export type JsonLine = (values: readonly Value[]) => string

/** Prepares the lines of a table with these columns. Keys are written by hand: an object would sort names such as `7` to the front. */
export function jsonLines(columns: readonly string[]): JsonLine {
  const keys = columns.map((name, at) => `${at === 0 ? '' : ','}${JSON.stringify(name)}:`)
  return (values) => {
    let line = '{'
    for (let at = 0; at < keys.length; at += 1) line += (keys[at] as string) + stringifyExact(values[at] as Value)
    return `${line}}\n`
  }
}
