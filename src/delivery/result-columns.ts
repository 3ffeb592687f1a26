import { toUsd } from '../domain/money.ts'
import type { Value } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import { type ColumnType, promiseOf } from './output-type.ts'

/** `_status` of a result row; `pending`: it has no outcome yet. */
export type RowStatus = 'ok' | 'failed' | 'skipped' | 'cancelled' | 'pending'

/** One column of the result table, in its place. */
export interface ResultColumn {
  readonly name: string
  readonly from: 'input' | 'output' | 'metadata'
  /** As far as it is known without looking at the values; `null`: the values say. */
  readonly type: ColumnType | null
}

/** What the metadata columns of one row say. */
export interface RowFacts {
  readonly id: string
  readonly index: number
  readonly chunkNo: number
  readonly status: RowStatus
  readonly outcome: StoredOutcome | null
}

/** The metadata columns in the order of the contract (§4), with their values. Of a row that is pending nothing is said but where it is. */
const METADATA: readonly {
  readonly name: string
  readonly type: ColumnType
  readonly value: (row: RowFacts) => Value
}[] = Object.freeze([
  { name: '_row_id', type: 'string', value: ({ id }) => id },
  { name: '_row_index', type: 'int64', value: ({ index }) => index },
  { name: '_chunk_id', type: 'int64', value: ({ chunkNo }) => chunkNo },
  { name: '_status', type: 'string', value: ({ status }) => status },
  { name: '_error', type: 'string', value: ({ outcome }) => outcome?.cause ?? null },
  { name: '_error_message', type: 'string', value: ({ outcome }) => outcome?.message ?? null },
  { name: '_attempts', type: 'int64', value: ({ outcome }) => outcome?.attempts ?? null },
  { name: '_model', type: 'string', value: ({ outcome }) => outcome?.model ?? null },
  { name: '_lane', type: 'string', value: ({ outcome }) => outcome?.lane ?? null },
  { name: '_input_tokens', type: 'int64', value: ({ outcome }) => outcome?.inputTokens ?? null },
  { name: '_output_tokens', type: 'int64', value: ({ outcome }) => outcome?.outputTokens ?? null },
  { name: '_cost_usd', type: 'double', value: ({ outcome }) => usd(outcome?.costNano ?? null) },
  { name: '_latency_ms', type: 'int64', value: ({ outcome }) => outcome?.latencyMs ?? null },
])

/** The values of a row's metadata columns, in their order. */
export function metadataOf(row: RowFacts): readonly Value[] {
  return METADATA.map((column) => column.value(row))
}

/** The columns of a job's result table: input columns (unless left out), output columns, metadata. */
export function resultColumns(
  spec: Spec,
  input: { readonly format: string; readonly columns: readonly string[] } | null,
  includeInput: boolean,
): readonly ResultColumn[] {
  const cellsAreText = /^[ct]sv\b/.test(input?.format ?? '')
  const inputColumns = includeInput ? (input?.columns ?? []) : []
  return [
    ...inputColumns.map((name) => ({ name, from: 'input', type: cellsAreText ? 'string' : null }) as const),
    ...spec.output.columns.map((name) => ({ name, from: 'output', type: outputType(spec, name) }) as const),
    ...METADATA.map(({ name, type }) => ({ name, from: 'metadata', type }) as const),
  ]
}

/** Whole numbers are looked at: a schema's `integer` has no end, and 64 bits have one. */
function outputType(spec: Spec, name: string): ColumnType | null {
  const { type } = promiseOf(spec.output.schema, name)
  return type === 'int64' ? null : type
}

function usd(nano: number | null): number | null {
  return nano === null ? null : toUsd(nano)
}
