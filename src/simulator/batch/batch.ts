import type { Course } from './course.ts'
import type { BatchFacts, LineFormat } from './line-format.ts'
import type { Survey } from './survey.ts'

export type BatchProvider = 'openai' | 'anthropic' | 'gemini' | 'mistral'

/** A file that was uploaded, or that a batch left behind. */
export interface StoredFile {
  readonly id: string
  readonly provider: BatchProvider
  /** On disk. */
  readonly path: string
  readonly bytes: number
  readonly name: string
  readonly createdMs: number
  /** What it asks; `null`: it holds results. */
  readonly survey: Survey | null
  /** How often its content was asked for. */
  served: number
  isDeleted: boolean
}

/** A file that is about to be taken in. */
export type NewFile = Omit<StoredFile, 'id' | 'createdMs' | 'served' | 'isDeleted'>

/** How many of a batch's requests came to what. */
export interface RowCounts {
  succeeded: number
  failed: number
  expired: number
  cancelled: number
  /** Of those that succeeded: no line, or a broken one, tells of them. */
  missing: number
}

/** What a batch's requests used, and cost. */
export interface RowSums {
  billed: number
  inputTokens: number
  cachedTokens: number
  outputTokens: number
  costNano: number
}

export interface Batch extends BatchFacts {
  readonly provider: BatchProvider
  readonly format: LineFormat
  readonly input: StoredFile
  readonly survey: Survey
  /** The name by which its owner knows it, where it was given one. */
  readonly shard: string | null
  /** What the provider was told besides, to be said again. */
  readonly told: Readonly<Record<string, unknown>>
  /** The requests came in the call itself. */
  readonly isInline: boolean
  /** The what-th batch of the same content. */
  readonly nth: number
  course: Course
  /** When its answers were all worked out; `null`: not yet. */
  workedMs: number | null
  readonly counts: RowCounts
  readonly sums: RowSums
  output: StoredFile | null
  errors: StoredFile | null
  isDeleted: boolean
}
