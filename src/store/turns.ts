import { AsyncLocalStorage } from 'node:async_hooks'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'

/** The one mutex before a process's one write connection: transactions come one after the other, first come first served. */
export interface Turns {
  /**
   * Runs `transaction` when all that were asked for earlier are over. Inside, `during` names the transaction that is open; rejects where one is
   * begun inside another: it would wait for itself.
   */
  take<T>(transaction: (during: During) => Promise<T>): Promise<T>
  /** Throws unless `tx` is the transaction that is open now. */
  assertOpen(tx: StoreTx): void
  /** Resolves when every transaction that was asked for has ended. */
  settled(): Promise<void>
}

/** Runs `work` with a transaction of its own, which has no power any more once that has ended. */
export type During = <T>(work: (tx: StoreTx) => Promise<T>) => Promise<T>

/** Creates the turns of one write connection. */
export function createTurns(): Turns {
  const inside = new AsyncLocalStorage<StoreTx>()
  let last: Promise<unknown> = Promise.resolve()
  let current: StoreTx | null = null

  const during: During = async (work) => {
    const tx = Object.freeze({}) as StoreTx
    current = tx
    try {
      return await inside.run(tx, () => work(tx))
    } finally {
      current = null
    }
  }

  return Object.freeze({
    take<T>(transaction: (during: During) => Promise<T>): Promise<T> {
      if (current !== null && inside.getStore() === current)
        return Promise.reject(
          new SluiceError('internal', 'a store transaction was begun inside another: it would wait for itself'),
        )
      const result = last.then(() => transaction(during))
      last = result.catch(() => undefined)
      return result
    },
    assertOpen(tx: StoreTx) {
      if (tx !== current) throw new SluiceError('internal', 'a store transaction was used after its end')
    },
    async settled() {
      await last
    },
  })
}
