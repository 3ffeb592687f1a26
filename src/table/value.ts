import {
  type DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBDecimalValue,
  type DuckDBListType,
  DuckDBListValue,
  type DuckDBMapType,
  DuckDBMapValue,
  type DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
  DuckDBUnionValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from '@duckdb/node-api'
import { exactNumber, parseExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'

/** Types without a value in JSON. */
const BINARY_TYPES: ReadonlySet<DuckDBTypeId> = new Set([DuckDBTypeId.BLOB, DuckDBTypeId.GEOMETRY])

/** Whether a column of this type holds bytes somewhere, which have no form as text. */
export function holdsBytes(type: DuckDBType): boolean {
  if (BINARY_TYPES.has(type.typeId)) return true
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
      return holdsBytes((type as DuckDBListType).valueType)
    case DuckDBTypeId.ARRAY:
      return holdsBytes((type as DuckDBArrayType).valueType)
    case DuckDBTypeId.MAP:
      return holdsBytes((type as DuckDBMapType).keyType) || holdsBytes((type as DuckDBMapType).valueType)
    case DuckDBTypeId.STRUCT:
      return (type as DuckDBStructType).entryTypes.some(holdsBytes)
    case DuckDBTypeId.UNION:
      return (type as DuckDBUnionType).memberTypes.some(holdsBytes)
    default:
      return false
  }
}

/**
 * A value of a column as the rest of the house knows it: integers and decimals exact (by the rule of exact-json.ts), dates and times as ISO 8601
 * text, lists and structs as JSON values, maps as arrays of `{key, value}`, JSON columns parsed; NaN, infinities and what else JSON lacks as text.
 */
export function toValue(value: DuckDBValue, type: DuckDBType): Value {
  if (value === null) return null
  switch (typeof value) {
    case 'string':
      return type.alias === 'JSON' ? parseExact(value) : value
    case 'boolean':
      return value
    case 'bigint':
      return exactNumber(value.toString())
    case 'number':
      return numberValue(value, type)
    default:
      return objectValue(value, type)
  }
}

function numberValue(value: number, type: DuckDBType): Value {
  if (!Number.isFinite(value)) return String(value)
  // A FLOAT's own shortest digits: as a double 0.1 would read 0.10000000149011612.
  return type.typeId === DuckDBTypeId.FLOAT ? shortestFloat(value) : value
}

function shortestFloat(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

function objectValue(value: Exclude<DuckDBValue, null | boolean | number | bigint | string>, type: DuckDBType): Value {
  if (value instanceof DuckDBDecimalValue) return exactNumber(value.toString())
  if (value instanceof DuckDBTimestampTZValue) return isoTime(new DuckDBTimestampValue(value.micros), 'Z')
  if (isTimestamp(value)) return isoTime(value, '')
  if (value instanceof DuckDBListValue)
    return value.items.map((item) => toValue(item, (type as DuckDBListType).valueType))
  if (value instanceof DuckDBArrayValue)
    return value.items.map((item) => toValue(item, (type as DuckDBArrayType).valueType))
  if (value instanceof DuckDBStructValue) return structValue(value, type as DuckDBStructType)
  if (value instanceof DuckDBMapValue) {
    const { keyType, valueType } = type as DuckDBMapType
    return value.entries.map((entry) => ({ key: toValue(entry.key, keyType), value: toValue(entry.value, valueType) }))
  }
  if (value instanceof DuckDBUnionValue) {
    const { memberTags, memberTypes } = type as DuckDBUnionType
    return toValue(value.value, memberTypes[memberTags.indexOf(value.tag)] ?? type)
  }
  if (value instanceof DuckDBVariantValue) return toValue(value.value, value.type ?? type)
  return value.toString()
}

function structValue(value: DuckDBStructValue, type: DuckDBStructType): Value {
  const entries = type.entryNames.map((name, at) => [
    name,
    toValue(value.entries[name] ?? null, type.entryTypes[at] ?? type),
  ])
  return Object.fromEntries(entries) as Value
}

function isTimestamp(value: unknown): value is DuckDBTimestampValue {
  return (
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampSecondsValue ||
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampNanosecondsValue
  )
}

/** `2026-01-02T03:04:05`; infinities as they are called. */
function isoTime(value: { readonly isFinite: boolean; toString(): string }, zone: string): string {
  return value.isFinite ? `${value.toString().replace(' ', 'T')}${zone}` : value.toString()
}
