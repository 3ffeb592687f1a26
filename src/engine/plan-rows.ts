import type { Spec } from '../domain/spec.ts'
import type { IntakeProgress } from '../engine.ts'
import type { FoundFile } from '../intake/input-file.ts'
import { openSource } from '../intake/open-source.ts'
import { readRows } from '../intake/read-rows.ts'
import { createExplainer, type Explainer } from '../plan/explain.ts'
import { judgeKept } from '../plan/kept-answers.ts'
import { createPilotDraw, type PilotDraw } from '../plan/pilot-draw.ts'
import { createRowTally, type Tally } from '../plan/row-tally.ts'
import { answerScope } from '../reuse/answer-scope.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { PastJob } from './plan-history.ts'
import { rowProgramOf } from './row-program.ts'

/** Outcomes of an earlier job that are read at a time. */
const PAGE = 2000

/** What going over an input needs. */
export interface GoOver {
  readonly deps: EngineDeps
  readonly spec: Spec
  readonly baseDir: string
  /** What is read in place of what the spec names. */
  readonly files?: readonly FoundFile[] | undefined
  readonly signal: AbortSignal
  /** Rows to draw for a pilot. */
  readonly draw: number
  /** What rows to run are compared with; `null`: with nothing. */
  readonly earlier: PastJob | null
  readonly onProgress: (progress: IntakeProgress) => void
}

/** What going over an input showed. */
export interface GoneOver {
  readonly tally: Tally
  readonly drawn: ReturnType<PilotDraw['drawn']>
  readonly explainer: Explainer | null
}

/** Goes over all rows of an input, as a job would read them; where columns show late, once more with all of them, as they stand in every request. */
export async function goOver(options: GoOver): Promise<GoneOver> {
  const first = await pass(options, null)
  return first.columns === null ? first.result : (await pass(options, first.columns)).result
}

interface Passed {
  readonly result: GoneOver
  /** Columns, where there are more than the pass knew of. */
  readonly columns: readonly string[] | null
}

async function pass(options: GoOver, known: readonly string[] | null): Promise<Passed> {
  const { deps, spec, baseDir, files, signal, earlier, onProgress } = options
  const source = await openSource({ input: spec.input, baseDir, env: deps.env, files, spool: null, signal })
  const columns = known ?? source.columns
  const program = rowProgramOf(spec, columns)
  const draw = createPilotDraw(options.draw, () => deps.runtime.random())
  const explainer = earlier === null ? null : await explainerOf(deps, earlier, spec, columns)
  const scope = answerScope(spec.execution.cache, spec.name, null)
  const tally = createRowTally({
    program,
    sharesAnswers: spec.execution.cache !== 'off',
    async answersOf(rows) {
      if (scope === null) return new Map()
      const hashes = rows.map(({ sendable }) => sendable.requestHash)
      const kept = await deps.store.answers.find(deps.tenantNo, scope, hashes)
      return judgeKept(program, spec.output.schema === null, rows, kept)
    },
    onPaid(row, weight, kept) {
      draw.offer(row, weight)
      explainer?.add(row, weight, kept === 'refused')
    },
  })
  let [rows, unreadable, last] = [0, 0, columns]
  for await (const portion of readRows(source, { ...spec.input, columns, signal })) {
    await tally.add(portion.rows, portion.unreadable)
    rows += portion.rows.length + portion.unreadable
    unreadable += portion.unreadable
    last = portion.columns
    onProgress({ rows, unreadable, bytesRead: portion.bytesRead, bytesTotal: source.bytesTotal })
  }
  const result = { tally: tally.finish(), drawn: draw.drawn(), explainer }
  return { result, columns: last.length > columns.length ? last : null }
}

/** An explainer that knows every outcome of the earlier job. */
async function explainerOf(
  deps: EngineDeps,
  { job, spec }: PastJob,
  now: Spec,
  columns: readonly string[],
): Promise<Explainer> {
  const explainer = createExplainer({ id: job.id, spec, program: programOrNull(spec, columns) }, now)
  for (let from = 0; ; ) {
    const page = await deps.store.rows.list(job.jobNo, from, PAGE)
    explainer.remember(page)
    const last = page[page.length - 1]
    if (last === undefined || page.length < PAGE) return explainer
    from = last.rowIndex + 1
  }
}

/** `null`: the earlier version names columns that are not there any more. */
function programOrNull(spec: Spec, columns: readonly string[]) {
  try {
    return rowProgramOf(spec, columns)
  } catch {
    return null
  }
}
