import {
  type DuckDBArrayType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from '@duckdb/node-api'
import { identifier, literal } from './duckdb.ts'

/** Bytes of a value of fixed length, in a table and as text: about. */
const FIXED_BYTES = 8

/**
 * The SQL of about how many bytes a row takes up with its values written out. DuckDB finds that without writing them out: a text that a file holds once for a
 * million rows is measured, and not copied.
 */
export function rowWeight(columns: readonly string[], types: readonly DuckDBType[]): string {
  return columns.map((name, at) => valueWeight(identifier(name), types[at] as DuckDBType, 0)).join(' + ')
}

/** `depth`: in how many lists the value lies. */
function valueWeight(value: string, type: DuckDBType, depth: number): string {
  switch (type.typeId) {
    case DuckDBTypeId.VARCHAR:
      return `coalesce(strlen(${value}), 0)`
    case DuckDBTypeId.LIST:
      return listWeight(value, (type as DuckDBListType).valueType, depth)
    case DuckDBTypeId.ARRAY:
      return listWeight(value, (type as DuckDBArrayType).valueType, depth)
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType
      return `${listWeight(`map_keys(${value})`, keyType, depth)} + ${listWeight(`map_values(${value})`, valueType, depth)}`
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType
      const parts = entryNames.map((name, at) =>
        valueWeight(`struct_extract(${value}, ${literal(name)})`, entryTypes[at] as DuckDBType, depth),
      )
      return `(${parts.join(' + ')})`
    }
    default:
      return String(FIXED_BYTES)
  }
}

function listWeight(list: string, item: DuckDBType, depth: number): string {
  const name = `item_${depth}`
  const weight = valueWeight(name, item, depth + 1)
  if (weight === String(FIXED_BYTES)) return `${FIXED_BYTES} * coalesce(len(${list}), 0)`
  return `coalesce(list_sum(list_transform(${list}, lambda ${name}: ${weight})), 0)`
}
