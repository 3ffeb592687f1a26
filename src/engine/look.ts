import { deadLetterLine, deadLetters } from '../delivery/dead-letters.ts'
import type { Chunk } from '../domain/chunk.ts'
import { CAUSE_RULES, type Cause } from '../domain/failure.ts'
import type { Job } from '../domain/job.ts'
import type { Row } from '../domain/row.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import type { FailedGroup, PromptView, RowView } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { EngineDeps } from './engine-deps.ts'
import { columnsOf, readRows, specOf } from './job-parts.ts'
import { assertRowsKept } from './kept-rows.ts'
import { rowProgramOf } from './row-program.ts'

/** Examples that a single cause shows when it is asked for by name. */
const EXAMPLES = 20
const PAGE = 500

/** Dead letters by cause, most first; with `cause`, that one, with more examples. */
export async function failedGroups(deps: EngineDeps, job: Job, cause?: Cause): Promise<readonly FailedGroup[]> {
  assertRowsKept(job)
  const counts = (await deps.store.rows.causes(job.jobNo)).filter(
    (entry) => cause === undefined || entry.cause === cause,
  )
  const groups: FailedGroup[] = []
  for (const { cause: name, rows, example } of counts) {
    const rule = CAUSE_RULES[name]
    const examples = cause === undefined ? [example] : await examplesOf(deps, job, name)
    groups.push({
      cause: name,
      rows,
      meaning: rule.meaning,
      advice: rule.advice,
      retryable: name !== 'input_unreadable',
      examples,
    })
  }
  return groups
}

/** Every dead letter with all that is known of it, a line of NDJSON each. */
export async function* deadLetterLines(deps: EngineDeps, job: Job, cause: Cause | null): AsyncIterable<string> {
  assertRowsKept(job)
  const spec = await specOf(deps, job)
  const source = { job, store: deps.store, readRows: (chunk: Chunk) => readRows(deps, job, spec, chunk) }
  for await (const letter of deadLetters(source, cause)) yield deadLetterLine(letter)
}

async function examplesOf(deps: EngineDeps, job: Job, cause: Cause): Promise<readonly StoredOutcome[]> {
  const found: StoredOutcome[] = []
  for (let from = 0; found.length < EXAMPLES; ) {
    const page = await deps.store.rows.list(job.jobNo, from, PAGE, ['failed'])
    found.push(...page.filter((outcome) => outcome.cause === cause))
    const last = page[page.length - 1]
    if (last === undefined || page.length < PAGE) break
    from = last.rowIndex + 1
  }
  return found.slice(0, EXAMPLES)
}

/** One row of a job, by its key or index: input, outcome, attempts. */
export async function rowView(deps: EngineDeps, job: Job, name: string): Promise<RowView> {
  assertRowsKept(job)
  const outcome = await outcomeByName(deps, job, name)
  const row = await findRow(deps, job, outcome?.rowIndex ?? null, name)
  if (outcome === null && row === null)
    throw new SluiceError('row_not_found', `${job.id} has no row ${JSON.stringify(name)}`)
  const index = outcome?.rowIndex ?? (row as Row).index
  const columns = columnsOf(job)
  return {
    outcome,
    input: row === null ? null : Object.fromEntries(columns.map((column, at) => [column, row.values[at] ?? null])),
    attempts: await deps.store.attempts.ofRow(job.jobNo, index),
  }
}

async function outcomeByName(deps: EngineDeps, job: Job, name: string): Promise<StoredOutcome | null> {
  const byId = await deps.store.rows.byId(job.jobNo, name)
  if (byId !== null || !/^\d{1,15}$/.test(name)) return byId
  return deps.store.rows.get(job.jobNo, Number(name))
}

async function findRow(deps: EngineDeps, job: Job, index: number | null, name: string): Promise<Row | null> {
  if (index !== null) {
    const chunk = await chunkOfRow(deps, job, index)
    const rows = chunk === null ? [] : await readRows(deps, job, await specOf(deps, job), chunk)
    return rows.find((row) => row.index === index) ?? null
  }
  for await (const row of rowsOf(deps, job)) {
    if (row.id === name) return row
  }
  return null
}

/** The chunk that a row lies in: chunks are numbered in the order of their rows. */
async function chunkOfRow({ store }: EngineDeps, { jobNo, chunksTotal }: Job, index: number): Promise<Chunk | null> {
  let [low, high] = [0, chunksTotal]
  while (low < high) {
    const chunkNo = Math.floor((low + high) / 2)
    const [chunk] = await store.chunks.list(jobNo, chunkNo, 1)
    if (chunk === undefined || index < chunk.firstRow) high = chunkNo
    else if (chunk.chunkNo > chunkNo || index < chunk.firstRow + chunk.rows) return chunk
    else low = chunkNo + 1
  }
  return null
}

/** The rows of a job in input order, read chunk by chunk. */
async function* rowsOf(deps: EngineDeps, job: Job): AsyncIterable<Row> {
  const spec = await specOf(deps, job)
  for (let from = 0; ; ) {
    const chunks = await deps.store.chunks.list(job.jobNo, from, 50)
    for (const chunk of chunks) yield* await readRows(deps, job, spec, chunk)
    const last = chunks[chunks.length - 1]
    if (last === undefined) return
    from = last.chunkNo + 1
  }
}

/** The first requests of a job's first rows, rendered; nothing is sent. */
export async function promptViews(deps: EngineDeps, job: Job, limit: number): Promise<readonly PromptView[]> {
  const program = rowProgramOf(await specOf(deps, job), columnsOf(job))
  const views: PromptView[] = []
  for await (const row of rowsOf(deps, job)) {
    if (views.length >= limit) break
    const prepared = program.prepare(row, [], { fallbackAllowed: () => false })
    if (prepared.kind === 'send') {
      views.push({ rowId: row.id, system: prepared.request.system, messages: prepared.request.messages, error: null })
    } else {
      const error = prepared.kind === 'skip' ? 'skipped by input.where' : prepared.failure.message
      views.push({ rowId: row.id, system: null, messages: [], error })
    }
  }
  return views
}
