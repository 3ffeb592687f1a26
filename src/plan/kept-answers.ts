import type { StoredOutcome } from '../domain/stored.ts'
import { acceptsAgain } from '../row/accept-again.ts'
import type { RowProgram } from '../row/row.ts'
import type { KeptAnswer, SendableRow } from './row-tally.ts'

/** Judges kept answers as a run would, each by the row it is to stand for. */
export function judgeKept(
  program: RowProgram,
  isPlainText: boolean,
  rows: readonly SendableRow[],
  kept: ReadonlyMap<string, Pick<StoredOutcome, 'output'>>,
): ReadonlyMap<string, KeptAnswer> {
  const judged = new Map<string, KeptAnswer>()
  for (const asked of rows) {
    const { requestHash } = asked.sendable
    const output = kept.get(requestHash)?.output ?? null
    if (output === null) continue
    judged.set(requestHash, acceptsAgain(program, isPlainText, asked, output) ? 'accepted' : 'refused')
  }
  return judged
}
