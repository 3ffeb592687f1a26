import type { AttemptFact } from '../domain/attempt.ts'
import type { RowTask } from './held-chunk.ts'

/** Something that a request needs besides its turn and a slot of its account: room in a budget, say. */
export interface Gate {
  /** Lets the row's next request in, or says no: then no request of its job is let in until `onRoom` listeners have heard. */
  enter(task: RowTask): Pass | null
  /** Calls back when rows that were refused may ask again; returns the way out. */
  onRoom(listener: () => void): () => void
}

/** The right to send one request. */
export interface Pass {
  /**
   * To be called once: with how the attempt was booked, or that nothing was sent, or that it was hung up on, and nobody knows whether it was
   * billed.
   */
  leave(end: AttemptFact | 'not sent' | 'abandoned'): void
}

/** A pass through all gates at once, or through none. */
export function enterAll(gates: readonly Gate[], task: RowTask): Pass | null {
  const passes: Pass[] = []
  for (const gate of gates) {
    const pass = gate.enter(task)
    if (pass === null) {
      for (const entered of passes) entered.leave('not sent')
      return null
    }
    passes.push(pass)
  }
  return {
    leave(end) {
      for (const pass of passes) pass.leave(end)
    },
  }
}
