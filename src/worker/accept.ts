import { acceptsAgain } from '../row/accept-again.ts'
import type { RowTask } from './held-chunk.ts'

/** Whether the answer of another row will do for this one. */
export function isAccepted({ held: { run }, row, next }: RowTask, output: string): boolean {
  return acceptsAgain(run.program, run.spec.output.schema === null, { row, sendable: next }, output)
}
