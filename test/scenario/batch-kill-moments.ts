import type { BatchReport } from '../../src/simulator/batch/report.ts'

/** Asks the store from beside. Nothing, where there are no tables yet. */
export type Ask = <T>(sql: string) => Promise<readonly T[]>

/** What has been seen of a job so far. All of them only grow, but `submitting`, which says how many shards have an intent now. */
export interface Marks {
  readonly parts: number
  readonly shards: number
  readonly submitting: number
  readonly submitted: number
  readonly ended: number
  readonly collected: number
  readonly closed: number
  readonly attempts: number
  readonly rows: number
  readonly upload: number
  readonly create: number
  readonly look: number
  readonly list: number
  readonly content: number
}

/** A window to kill in: as soon as `mark` is more than it was when the process began, and up to `withinMs` after that. */
export interface Aim {
  readonly window: string
  readonly mark: keyof Marks | null
  readonly withinMs: number
}

/**
 * Before, within and after each step of a batch. Uploads and creates take the simulator a few milliseconds: half of the kills behind their first sight come before
 * their answer was written down.
 */
export const AIMS: readonly Aim[] = [
  { window: 'start', mark: null, withinMs: 4_000 },
  { window: 'packing', mark: 'parts', withinMs: 60 },
  { window: 'planned', mark: 'shards', withinMs: 20 },
  { window: 'intent', mark: 'submitting', withinMs: 15 },
  { window: 'uploading', mark: 'upload', withinMs: 10 },
  { window: 'creating', mark: 'create', withinMs: 10 },
  { window: 'created', mark: 'create', withinMs: 100 },
  { window: 'submitted', mark: 'submitted', withinMs: 40 },
  { window: 'listing', mark: 'list', withinMs: 15 },
  { window: 'polling', mark: 'look', withinMs: 15 },
  { window: 'ended', mark: 'ended', withinMs: 15 },
  { window: 'downloading', mark: 'content', withinMs: 15 },
  { window: 'collected', mark: 'collected', withinMs: 40 },
  { window: 'committing', mark: 'attempts', withinMs: 40 },
  { window: 'settled', mark: 'closed', withinMs: 60 },
]

const SUMS = `select
  (select count(*) from batch_parts) as parts,
  (select count(*) from batch_shards) as shards,
  (select count(*) from batch_shards where state = 'submitting') as submitting,
  (select count(*) from batch_shards where submitted_at_ms is not null) as submitted,
  (select count(*) from batch_shards where ended_at_ms is not null) as ended,
  (select count(*) from batch_shards where state = 'collected') as collected,
  (select count(*) from batch_parts where state = 'closed') as closed,
  (select count(*) from attempts) as attempts,
  (select count(*) from rows) as rows`

type Sums = Omit<Marks, 'upload' | 'create' | 'look' | 'list' | 'content'>
const NO_SUMS: Sums = {
  parts: 0,
  shards: 0,
  submitting: 0,
  submitted: 0,
  ended: 0,
  collected: 0,
  closed: 0,
  attempts: 0,
  rows: 0,
}

/** What the store and the simulator at `url` can be seen to have done. */
export async function marks(ask: Ask, url: string): Promise<Marks> {
  const [sums = NO_SUMS] = await ask<Sums>(SUMS)
  const { calls } = await batchReport(url)
  const of = (...names: readonly string[]) =>
    Object.entries(calls).reduce((sum, [name, n]) => (names.includes(name.split(' ')[1] ?? '') ? sum + n : sum), 0)
  const provider = {
    upload: of('upload'),
    create: of('create'),
    look: of('look'),
    list: of('list'),
    content: of('content'),
  }
  return { ...sums, ...provider }
}

/** What the simulator tells of its batches; `settled`: as soon as no answer is being worked out. */
export async function batchReport(url: string, settled = false): Promise<BatchReport> {
  const reply = await fetch(`${url}/__simulator/batches${settled ? '?settle=1' : ''}`)
  return (await reply.json()) as BatchReport
}
