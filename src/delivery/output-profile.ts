import { setImmediate } from 'node:timers/promises'
import type { Spec } from '../domain/spec.ts'
import type { Store } from '../store/store.ts'
import { promiseOf } from './output-type.ts'
import type { OutputProfile } from './report-data.ts'

const PAGE_ROWS = 1000

/** Model names that are told apart; what a provider calls itself beyond that is counted together. */
const MODELS_NAMED = 20

/**
 * Counts the values of every output column that has few and named ones (enum, boolean), and the models that answered. Goes over all accepted
 * answers once, in pages, with flat memory.
 */
export async function profileOutputs(
  rows: Pick<Store['rows'], 'list'>,
  jobNo: number,
  spec: Spec,
): Promise<OutputProfile> {
  const columns = countedColumns(spec)
  const answeredBy = new Map<string, number>()
  let from = 0
  for (;;) {
    const page = await rows.list(jobNo, from, PAGE_ROWS, ['succeeded'])
    for (const { output, model } of page) {
      if (model !== null) add(answeredBy, answeredBy.size < MODELS_NAMED || answeredBy.has(model) ? model : 'others')
      if (columns.length > 0 && output !== null) countValues(columns, output)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) break
    from = last.rowIndex + 1
    // The database answers without waiting: whoever else lives in this process gets its turn here.
    await setImmediate()
  }
  return {
    columns: columns.map(({ name, counts, nulls }) => {
      return { name, nulls, values: mostFirst(counts).map(([value, n]) => ({ value, rows: n })) }
    }),
    answeredBy: mostFirst(answeredBy).map(([model, n]) => ({ model, rows: n })),
  }
}

interface CountedColumn {
  readonly name: string
  readonly counts: Map<string, number>
  nulls: number
}

/** Every named value starts at 0: one that is never given is worth knowing. */
function countedColumns(spec: Spec): readonly CountedColumn[] {
  return spec.output.columns.flatMap((name) => {
    const { choices } = promiseOf(spec.output.schema, name)
    return choices === null ? [] : [{ name, counts: new Map(choices.map((value) => [String(value), 0])), nulls: 0 }]
  })
}

function countValues(columns: readonly CountedColumn[], output: string): void {
  const answer = JSON.parse(output) as Readonly<Record<string, unknown>>
  for (const column of columns) {
    const value = Object.hasOwn(answer, column.name) ? answer[column.name] : null
    if (value === null) column.nulls += 1
    else add(column.counts, String(value))
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function mostFirst(counts: ReadonlyMap<string, number>): readonly [string, number][] {
  return [...counts].sort(([, a], [, b]) => b - a)
}
