import type { Value } from '../domain/row.ts'

/** Columns that an input of JSON objects may have; more are no columns but data. */
export const MAX_COLUMNS = 1000

/** The columns of JSON objects: every key in the order in which it was first seen. They grow while the input is read, at the end only. */
export interface GrowingColumns {
  /** A new array whenever it grew. */
  names(): readonly string[]
  /** The object's values by column, `null` for what it lacks; a text that says why it cannot be when it has too many new keys. */
  place(object: { readonly [key: string]: Value }): Value[] | string
}

/** Starts from `known`. */
export function growingColumns(known: readonly string[]): GrowingColumns {
  let names = [...known]
  const places = new Map(names.map((name, at) => [name, at]))

  function place(object: { readonly [key: string]: Value }): Value[] | string {
    const values: Value[] = []
    for (const key of Object.keys(object)) {
      let at = places.get(key)
      if (at === undefined) {
        if (names.length >= MAX_COLUMNS)
          return `it has the new key ${JSON.stringify(key.slice(0, 60))}, and the input has ${MAX_COLUMNS} keys already`
        at = names.length
        places.set(key, at)
        names = [...names, key]
      }
      while (values.length < at) values.push(null)
      values[at] = object[key] as Value
    }
    return values
  }
  return Object.freeze({ names: () => names, place })
}
