import type { Ask } from './batch-kill-moments.ts'

/** What the changes of all shards say of who made them. */
export interface ShardChanges {
  /** How often another worker went on with the shards than the one before. */
  readonly handovers: number
  /** Submissions that were begun. */
  readonly begun: number
  /** Batches that were found in the provider's list. */
  readonly foundAgain: number
  /** Shards that were planned again, since nothing came of their submission. */
  readonly plannedAgain: number
  readonly unclear: number
  /** Submissions begun, and searches ended, by a worker that was not the batcher then. */
  readonly outOfTurn: number
}

/** In the settings of a session: which worker's it is. */
export const WORKER_SETTING = 'trial.worker'

/** Notes each change of a shard as it is made: by whose session, and who was the batcher then. */
export const NOTE_CHANGES = `
create table trial_changes (seq bigserial, before text, after text, note text, worker text, batcher int);
create function trial_note() returns trigger language plpgsql set search_path = sluice, public as $$
begin
  insert into trial_changes (before, after, note, worker, batcher)
    values (old.state, new.state, new.note, current_setting('${WORKER_SETTING}', true), (
      select w.pid from roles r join workers w on w.worker_id = r.worker_id
      where r.role = 'batcher' and r.until_ms > extract(epoch from clock_timestamp()) * 1000));
  return null;
end $$;
create trigger trial_note after update on batch_shards for each row execute function trial_note();`

interface Change {
  readonly before: string
  readonly after: string
  readonly note: string | null
  readonly worker: string
  readonly batcher: number | null
}

/** Sums the changes up. `pidOf`: the process of a worker. */
export async function shardChanges(ask: Ask, pidOf: (worker: string) => number | undefined): Promise<ShardChanges> {
  const changes = await ask<Change>('select before, after, note, worker, batcher from trial_changes order by seq')
  const begins = changes.filter(({ before, after }) => before === 'planned' && after === 'submitting')
  const ends = changes.filter(({ before, after }) => isOpen(before) && after === 'planned')
  return {
    handovers: changes.filter(({ worker }, n) => n > 0 && changes[n - 1]?.worker !== worker).length,
    begun: begins.length,
    // A submitter that has its answer has nothing to remark.
    foundAgain: changes.filter(({ before, after, note }) => isOpen(before) && after === 'submitted' && note !== null)
      .length,
    plannedAgain: ends.length,
    unclear: changes.filter(({ before, after }) => before !== after && after === 'unclear').length,
    outOfTurn: [...begins, ...ends].filter(({ worker, batcher }) => pidOf(worker) !== batcher).length,
  }
}

function isOpen(state: string): boolean {
  return state === 'submitting' || state === 'unclear'
}
