import type { RequestRecord } from './request-log.ts'

export interface SimulatedRequest {
  readonly method: string
  /** With or without a query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** What happens to a request, and after how long. The carrier (server, fetch) waits, delivers, and writes the record down. */
export type SimulatedReply =
  | {
      readonly kind: 'response'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
      readonly delayMs: number
      readonly record: RequestRecord
    }
  | { readonly kind: 'reset'; readonly delayMs: number; readonly record: RequestRecord }
