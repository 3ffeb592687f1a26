import type { Shape } from '../ask.ts'
import type { Draw } from '../draw.ts'
import type { BatchEnd } from './course.ts'

/** One request of a batch, taken out of its line. */
export interface BatchRow {
  /** `null`: it has none. */
  readonly customId: string | null
  readonly body: Readonly<Record<string, unknown>>
  /** Where it would have gone by itself. */
  readonly path: string
}

/** What a batch knows of itself, as far as its rows need it. */
export interface BatchFacts {
  readonly id: string
  readonly model: string
  readonly endpoint: string
}

/** The state and body that a request got, or would have got by itself. */
export interface RowReply {
  readonly status: number
  readonly body: string
  /** Counts this simulator's requests. */
  readonly seq: number
}

/** One provider's way to put requests into a batch and results out of it. Lines are without their break. */
export interface LineFormat {
  /** Takes a line apart. Throws a `SyntaxError` for what is no JSON object, or has no request in it. */
  read(line: string, facts: Pick<BatchFacts, 'model' | 'endpoint'>): BatchRow
  shape(row: BatchRow): Shape
  result(row: BatchRow, reply: RowReply, facts: BatchFacts): string
  /** A request that failed on the provider's side, in one of the ways in which they do. */
  failure(row: BatchRow, seq: number, facts: BatchFacts, draw: Draw): { readonly line: string; readonly status: number }
  /** A request that never had its turn; `null`: no line tells of it. */
  unasked(row: BatchRow, seq: number, end: BatchEnd): string | null
  /** What is not answered stands in a file of its own. */
  readonly splitsErrors: boolean
  /** A batch that expires keeps none of its results. */
  readonly losesExpired: boolean
}
