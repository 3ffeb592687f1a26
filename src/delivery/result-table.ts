import type { Chunk, RowPart } from '../domain/chunk.ts'
import { exactNumber } from '../domain/exact-json.ts'
import type { Job } from '../domain/job.ts'
import type { OutcomeState, Row, Value } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import type { Store } from '../store/store.ts'
import { metadataOf, type RowStatus } from './result-columns.ts'

/** Where the result rows of a job come from. */
export interface ResultSource {
  readonly job: Job
  readonly spec: Spec
  readonly store: { readonly chunks: Pick<Store['chunks'], 'list'>; readonly rows: Pick<Store['rows'], 'list'> }
  /** The readable rows of a chunk, or of a part of it, from the snapshot. */
  readonly readRows: (chunk: Chunk, part?: RowPart) => Promise<readonly Row[]>
}

/** Which rows, and whether with their input columns. */
export interface ResultSelection {
  readonly only: 'ok' | 'failed' | null
  readonly includeInput: boolean
}

/** One row of the result table; `values` in the order of `resultColumns`. */
export interface ResultRow {
  readonly index: number
  readonly status: RowStatus
  readonly values: readonly Value[]
}

/** Chunks of the manifest that are read at once; each is a few hundred bytes. */
const MANIFEST_PAGE = 500

const STATUS: Readonly<Record<OutcomeState, RowStatus>> = Object.freeze({
  succeeded: 'ok',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
})

/**
 * The result table in input order, a chunk at a time: every row of the manifest exactly once, as it stands when its chunk is reached. May be
 * read while the job runs. Holds one chunk's rows in memory, whatever the size of the job.
 */
export async function* resultRows(
  source: ResultSource,
  selection: ResultSelection,
): AsyncGenerator<readonly ResultRow[]> {
  let next = 0
  for (;;) {
    const page = await source.store.chunks.list(source.job.jobNo, next, MANIFEST_PAGE)
    for (const chunk of page) {
      const rows = await rowsOfChunk(source, chunk, selection)
      if (rows.length > 0) yield rows
      next = chunk.chunkNo + 1
    }
    if (page.length < MANIFEST_PAGE) return
  }
}

/** The result rows of one chunk, or of a part of it, in input order. */
export async function rowsOfChunk(
  source: ResultSource,
  chunk: Chunk,
  selection: ResultSelection,
  part: RowPart = chunk,
): Promise<readonly ResultRow[]> {
  const outcomes = await outcomesOf(source, part, selection.only)
  if (selection.only !== null && outcomes.size === 0) return []
  // Without the input columns, the snapshot is only needed for the keys of rows that have no outcome yet.
  const complete = selection.only !== null || outcomes.size === part.rows
  const inputs = selection.includeInput || !complete ? await source.readRows(chunk, part) : []
  const inputAt = new Map(inputs.map((row) => [row.index, row]))
  const shape = { source, selection, chunk }
  const rows: ResultRow[] = []
  for (let index = part.firstRow; index < part.firstRow + part.rows; index += 1) {
    const outcome = outcomes.get(index) ?? null
    if (outcome === null && selection.only !== null) continue
    rows.push(resultRow(shape, index, inputAt.get(index) ?? null, outcome))
  }
  return rows
}

async function outcomesOf({ job, store }: ResultSource, part: RowPart, only: ResultSelection['only']) {
  const states = only === null ? undefined : ([only === 'ok' ? 'succeeded' : 'failed'] as const)
  // Rows without outcome, and of other states, leave gaps: without an end, each part would be looked for in all of the job.
  const found = await store.rows.list(job.jobNo, part.firstRow, part.rows, states, part.firstRow + part.rows)
  return new Map(found.map((outcome) => [outcome.rowIndex, outcome]))
}

interface RowShape {
  readonly source: ResultSource
  readonly selection: ResultSelection
  readonly chunk: Chunk
}

function resultRow(shape: RowShape, index: number, input: Row | null, outcome: StoredOutcome | null): ResultRow {
  const { source, selection, chunk } = shape
  const unfinished: RowStatus = source.job.state === 'cancelled' ? 'cancelled' : 'pending'
  const status = outcome === null ? unfinished : STATUS[outcome.state]
  const facts = {
    id: outcome?.rowId ?? input?.id ?? String(index),
    index,
    chunkNo: chunk.chunkNo,
    status,
    outcome,
  }
  const columns = selection.includeInput ? (source.job.input?.columns ?? []) : []
  const values = [
    ...columns.map((_, at) => input?.values[at] ?? null),
    ...outputValues(outcome, source.spec.output.columns),
    ...metadataOf(facts),
  ]
  return { index, status, values }
}

/** Only an accepted answer has output values; a field that it does not hold is null. */
function outputValues(outcome: StoredOutcome | null, columns: readonly string[]): readonly Value[] {
  if (outcome?.state !== 'succeeded' || outcome.output === null) return columns.map(() => null)
  const output = parseOutput(outcome.output)
  return columns.map((name) => (Object.hasOwn(output, name) ? (output[name] ?? null) : null))
}

/** Reviver context: ES2026, in Node since 21, not yet in TypeScript's library. */
const json = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
}

/** An answer's whole numbers keep all their digits; its decimals are doubles, since that is what a model's `number` is. */
function parseOutput(text: string): { readonly [name: string]: Value } {
  const parsed = /\d{16}/.test(text)
    ? json.parse(text, (_key, value, { source }) =>
        typeof value === 'number' && source !== undefined && /^-?\d+$/.test(source) ? exactNumber(source) : value,
      )
    : JSON.parse(text)
  return parsed as { readonly [name: string]: Value }
}
