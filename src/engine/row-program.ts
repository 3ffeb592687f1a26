import { readChat } from '../chat/read-chat.ts'
import type { Spec } from '../domain/spec.ts'
import { createRowProgram } from '../row/program.ts'
import type { RowProgram } from '../row/row.ts'

/** The life of the rows of a spec, those included that are whole requests of their own (see `createRowProgram`). */
export function rowProgramOf(spec: Spec, columns: readonly string[]): RowProgram {
  return createRowProgram(spec, columns, readChat)
}
