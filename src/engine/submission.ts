import type { RowPick } from '../engine.ts'

/** What a job keeps of its submission, for an intake that has to go on in another process. */
export interface Submission {
  readonly baseDir: string
  readonly specPath: string
  readonly selection: RowPick | null
}
