import type { DatabaseSync } from 'node:sqlite'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Runtime } from '../runtime.ts'
import { mapped, storageFailure } from './sqlite-failure.ts'
import { createTurns, type During } from './turns.ts'

/**
 * The one write handle of a process behind its one mutex: whoever writes, through Kysely or by a raw statement, does it inside `write`.
 * (A second handle's BEGIN would freeze the event loop for its whole busy time-out while the first awaits inside a transaction.)
 */
export interface SqliteWriter {
  /** One transaction, first come first served. Commits when `work` resolves, rolls back when it throws. */
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  /** Throws unless `tx` is the transaction that is open now. */
  assertOpen(tx: StoreTx): void
  /** Resolves when every transaction that was asked for has ended. */
  settled(): Promise<void>
}

/**
 * Serialises transactions on `handle`. While another process holds the database, it tries again with jitter, without blocking the event loop
 * for longer than the handle's own busy time-out; after `busyMs` it gives up with `StorageFailure('busy')`.
 */
export function sqliteWriter(handle: DatabaseSync, runtime: Runtime, busyMs: number): SqliteWriter {
  const turns = createTurns()
  const statements = {
    begin: handle.prepare('begin immediate'),
    commit: handle.prepare('commit'),
    rollback: handle.prepare('rollback'),
  }

  async function transaction<T>(during: During, work: (tx: StoreTx) => Promise<T>): Promise<T> {
    await whileBusy(runtime, busyMs, () => {
      // Left over from a rollback that failed, on a disk that failed.
      if (handle.isTransaction) statements.rollback.run()
      statements.begin.run()
    })
    try {
      const result = await during(work)
      mapped(() => statements.commit.run())
      return result
    } catch (error) {
      // On a full disk SQLite may have rolled back by itself.
      if (handle.isOpen && handle.isTransaction) mapped(() => statements.rollback.run())
      throw storageFailure(error) ?? error
    }
  }

  return Object.freeze({
    write: <T>(work: (tx: StoreTx) => Promise<T>) => turns.take((during) => transaction(during, work)),
    assertOpen: turns.assertOpen,
    settled: turns.settled,
  })
}

/** Calls again, after a moment drawn at random, for as long as another process is in the way; gives up after `busyMs`. */
export async function whileBusy<T>(runtime: Runtime, busyMs: number, call: () => T): Promise<T> {
  const begun = runtime.elapsed()
  for (;;) {
    try {
      return mapped(call)
    } catch (error) {
      if (!(error instanceof StorageFailure) || error.kind !== 'busy') throw error
      if (runtime.elapsed() - begun >= busyMs)
        throw new StorageFailure(
          'busy',
          `another process has held the database for ${Math.round(busyMs / 1000)} s`,
          error,
        )
      await runtime.sleep(1 + runtime.random() * 15)
    }
  }
}
