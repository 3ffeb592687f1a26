import type { Explanation, PaidAgainReason } from '../domain/plan.ts'
import type { OutcomeState } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import type { RowProgram } from '../row/row.ts'
import { sha256 } from '../runtime.ts'
import { createHashTable } from './hash-table.ts'
import type { SendableRow } from './row-tally.ts'
import { requestDifferences } from './spec-difference.ts'

/** The latest earlier job of the spec. */
export interface EarlierJob {
  readonly id: string
  readonly spec: Spec
  /** Its spec over the columns of today; `null`: it does not fit them. */
  readonly program: RowProgram | null
}

/** Says of each row to run why its answer of before does not do. */
export interface Explainer {
  /** First all outcomes of the earlier job, in whatever order. */
  remember(outcomes: readonly Pick<StoredOutcome, 'rowId' | 'state' | 'requestHash'>[]): void
  /** Then the rows to run; `weight`: how many each stands for. `answered`: an answer to it is kept, and not accepted any more. */
  add(row: SendableRow, weight: number, answered: boolean): void
  finish(): Explanation
}

const STATES: readonly OutcomeState[] = ['succeeded', 'failed', 'skipped', 'cancelled']

/** Why a row is paid for that had no answer before. */
const WITHOUT_ANSWER: Readonly<Record<Exclude<OutcomeState, 'succeeded'>, PaidAgainReason>> = {
  failed: 'failed before',
  skipped: 'skipped before',
  cancelled: 'not finished before',
}

const NO_FALLBACK = { fallbackAllowed: () => false }

/** Creates an explainer; its memory is 17 to 34 bytes for each row of the earlier job. */
export function createExplainer(earlier: EarlierJob, now: Spec): Explainer {
  const differences = requestDifferences(earlier.spec, now)
  const known = createHashTable()
  const counts = new Map<PaidAgainReason, number>()

  const asked = (requestHash: string): readonly [number, number] => [word(requestHash, 0), word(requestHash, 1)]
  const reasonOf = (row: SendableRow, answered: boolean): PaidAgainReason => {
    const slot = known.find(sha256(row.row.id))
    if (slot < 0) return 'new row'
    const state = STATES[(known.flags[slot] as number) & 3] as OutcomeState
    if (state !== 'succeeded') return WITHOUT_ANSWER[state]
    const before = [known.first[slot], known.second[slot]]
    const isBefore = (hash: string) => asked(hash).every((part, at) => part === before[at])
    if (isBefore(row.sendable.requestHash)) {
      if (answered) return 'checks changed'
      return now.execution.cache === 'off' || now.execution.cache === 'job' ? 'cache off' : 'answer not kept'
    }
    if (earlier.program === null) return 'row changed'
    const then = earlier.program.prepare(row.row, [], NO_FALLBACK)
    // The earlier spec would ask another thing of this row, too: it is not the row that it was.
    if (then.kind !== 'send' || !isBefore(then.requestHash)) return 'row changed'
    return differences[0]?.reason ?? 'row changed'
  }
  return Object.freeze({
    remember(outcomes: readonly Pick<StoredOutcome, 'rowId' | 'state' | 'requestHash'>[]) {
      for (const { rowId, state, requestHash } of outcomes) {
        const { slot } = known.slotOf(sha256(rowId))
        const [first, second] = requestHash === null ? [0, 0] : asked(requestHash)
        known.first[slot] = first
        known.second[slot] = second
        known.flags[slot] = ((known.flags[slot] as number) & ~3) | STATES.indexOf(state)
      }
    },
    add(row: SendableRow, weight: number, answered: boolean) {
      const reason = reasonOf(row, answered)
      counts.set(reason, (counts.get(reason) ?? 0) + weight)
    },
    finish(): Explanation {
      const place = (reason: PaidAgainReason) => differences.find((each) => each.reason === reason)?.place ?? null
      const reasons = [...counts].map(([reason, rows]) => ({ reason, rows, place: place(reason) }))
      // Where the spec differs in more than one part, the rows stand at the first; the others are named all the same.
      const others = differences.filter(({ reason }) => counts.size > 0 && !counts.has(reason))
      const named = others.map((each) => ({ reason: each.reason, rows: 0, place: each.place }))
      return { job: earlier.id, reasons: [...reasons.sort((a, b) => b.rows - a.rows), ...named] }
    },
  })
}

/** The given word of 32 bits of a hex hash. */
function word(hash: string, at: number): number {
  return Number.parseInt(hash.slice(8 * at, 8 * at + 8), 16)
}
