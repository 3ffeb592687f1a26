import type { Completion } from '../domain/completion.ts'
import type { ModelRequest } from '../domain/request.ts'
import type { LaneName } from '../domain/row.ts'

/** How a request travels and becomes a completion. Both lanes share rendering, acceptance and accounting. */
export interface Lane {
  readonly name: LaneName
  /** Sends one request and waits for what comes back. Never rejects for what a provider does. */
  send(
    request: ModelRequest,
    options: {
      readonly attemptId: string
      readonly timeoutMs: number
      readonly signal: AbortSignal
      /** As in `CompleteOptions`. */
      readonly tier?: 'flex'
    },
  ): Promise<Completion>
}
