import type { BatchTrialProvider } from './batch-trial-provider.ts'

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
 * Before, within and after each step of a batch. Uploads take the simulator a few milliseconds, and many creates are held up on their way to it: half of
 * the kills behind their first sight come before their answer was written down, and some before the provider has heard of them.
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

/** What the store and the provider can be seen to have done. */
export async function marks(ask: Ask, provider: BatchTrialProvider): Promise<Marks> {
  const [[sums = NO_SUMS], { calls }] = await Promise.all([ask<Sums>(SUMS), provider.report()])
  const of = (wanted: string) =>
    Object.entries(calls).reduce((sum, [name, n]) => (name.split(' ')[1] === wanted ? sum + n : sum), 0)
  return {
    ...sums,
    upload: of('upload'),
    create: provider.creates(),
    look: of('look'),
    list: of('list'),
    content: of('content'),
  }
}

/** In which a process has begun with something, however busy the machine, and whatever a dead one held is free. */
const START_MS = 40_000
/** In which it gets where it is to be killed; if not, that may not come any more. */
const PATIENCE_MS = 5_000

/** Waits for a moment of the window, drawn by `random`. `late`: it does not come, or not soon; `over`: there is nothing to kill any more. */
export async function untilMoment(
  aim: Aim,
  random: () => number,
  look: () => Promise<Marks>,
  isOver: () => boolean,
): Promise<'there' | 'late' | 'over'> {
  const before = await look()
  let dueMs = performance.now() + START_MS
  for (let moved = false; aim.mark !== null; await pause(10)) {
    if (isOver()) return 'over'
    if (performance.now() > dueMs) return 'late'
    const now = await look()
    if (now[aim.mark] > before[aim.mark]) break
    if (!moved && JSON.stringify(now) !== JSON.stringify(before)) {
      moved = true
      dueMs = performance.now() + PATIENCE_MS
    }
  }
  const atMs = performance.now() + random() * aim.withinMs
  while (!isOver() && performance.now() < atMs) await pause(1)
  return isOver() ? 'over' : 'there'
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
