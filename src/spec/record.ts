/** Whether a value is a mapping: an object that is no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `value` with what stands at `path` replaced; mappings on the way are made where they are missing. Nothing is changed in place. */
export function withValue(value: unknown, path: readonly (string | number)[], replacement: unknown): unknown {
  const [first, ...rest] = path
  if (first === undefined) return replacement
  if (Array.isArray(value))
    return value.map((item, index) => (index === Number(first) ? withValue(item, rest, replacement) : item))
  const record = isRecord(value) ? value : {}
  return { ...record, [first]: withValue(record[first], rest, replacement) }
}

/** `value` without what stands at `path`; an item of a list becomes undefined, so that the others keep their index. */
export function withoutValue(value: unknown, path: readonly (string | number)[]): unknown {
  const [first, ...rest] = path
  if (first === undefined) return undefined
  if (Array.isArray(value))
    return value.map((item, index) => (index === Number(first) ? withoutValue(item, rest) : item))
  if (!isRecord(value) || !Object.hasOwn(value, first)) return value
  if (rest.length > 0) return { ...value, [first]: withoutValue(value[first], rest) }
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== String(first)))
}

/** What stands at `path`, or undefined. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let current = value
  for (const part of path) {
    if (Array.isArray(current)) current = current[Number(part)]
    else if (isRecord(current) && Object.hasOwn(current, part)) current = current[String(part)]
    else return undefined
  }
  return current
}

/** `value` with everything in it frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
