import type { Row } from '../domain/row.ts'
import type { RowProgram, Sendable } from './row.ts'

/**
 * Whether a kept answer will do for a row that asks the same: it is judged anew, since checks are no part of the request.
 * `output` is the outcome's JSON text.
 */
export function acceptsAgain(
  program: RowProgram,
  isPlainText: boolean,
  asked: { readonly row: Row; readonly sendable: Sendable },
  output: string,
): boolean {
  const text = isPlainText ? (JSON.parse(output) as { answer: string }).answer : output
  const settled = program.settle(asked.row, [], asked.sendable, {
    ok: true,
    text,
    finish: 'stop',
    usage: null,
    limits: null,
    providerRequestId: null,
    latencyMs: 0,
    modelAnswered: null,
  })
  return settled.next.kind === 'succeeded'
}
