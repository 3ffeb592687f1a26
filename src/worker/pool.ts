import { NO_USAGE } from '../domain/usage.ts'
import type { Slot } from '../limit/governor.ts'
import { enterAll, type Gate, type Pass } from './gate.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { targetOf } from './intent.ts'
import { accountOf } from './live-way.ts'
import { createReadyQueues, type Served } from './ready-queues.ts'
import type { Recorder } from './recorder.ts'
import { sizeOf } from './request-size.ts'
import { sendRow, settleRow } from './send-row.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** Shares the slots of all accounts among the rows of all chunks in flight. */
export interface Pool {
  add(tasks: readonly RowTask[]): void
  /** Sends what may be sent now. */
  pump(): void
  readonly inFlight: number
  /** Takes back the rows of a chunk that are not under way; they stay pending. */
  drop(held: HeldChunk): void
  /** Lets go of the governor and of every row that waits. */
  close(): void
}

interface PoolPartners {
  readonly recorder: Recorder
  readonly guard: StorageGuard
  /** What a request needs besides a slot of its account. */
  readonly gates: readonly Gate[]
  /** Hangs up on what is in flight; nothing is sent any more. */
  readonly hangUp: AbortSignal
  /** Hears when a chunk has no row under way any more. */
  readonly onIdle: (held: HeldChunk) => void
  readonly onDefect: (error: unknown) => void
}

/** Creates the pool of one worker. */
export function createPool(deps: WorkerDeps, partners: PoolPartners): Pool {
  const { runtime, governor } = deps
  const { recorder, guard, hangUp } = partners
  const ready = createReadyQueues()
  /** Rows that back off, and how to call each off. */
  const waiting = new Map<RowTask, () => void>()
  let inFlight = 0
  let lastServed = ''

  const accountNow = (task: RowTask) => accountOf(task.held.run, targetOf(task))
  const mayRun = (task: RowTask) => !task.held.stale && task.held.run.stop === null
  const add = (task: RowTask) => {
    if (mayRun(task)) ready.push(accountNow(task), task)
  }
  const later = (task: RowTask, ms: number) => {
    const cancel = runtime.after(ms, () => {
      waiting.delete(task)
      add(task)
      pump()
    })
    waiting.set(task, cancel)
  }
  const callOff = (which: (task: RowTask) => boolean) => {
    for (const [task, cancel] of waiting) {
      if (!which(task)) continue
      cancel()
      waiting.delete(task)
    }
  }

  const start = async (task: RowTask, slot: Slot, pass: Pass, served: Served) => {
    const { held } = task
    inFlight += 1
    held.inFlight += 1
    try {
      const sent = await sendRow(deps, partners, task, slot)
      if (typeof sent === 'string') {
        pass.leave(sent)
        if (sent === 'not sent') served.end(NO_USAGE)
        // Its job's grant had passed: it asks for another.
        if (sent === 'not sent') add(task)
        return
      }
      const { fact, wait } = settleRow(deps, recorder, task, sent)
      pass.leave(fact)
      served.end(fact.usage)
      if (wait === 0) add(task)
      else if (wait !== null) later(task, wait)
    } catch (error) {
      partners.onDefect(error)
    } finally {
      inFlight -= 1
      held.inFlight -= 1
      if (held.inFlight === 0) partners.onIdle(held)
      pump()
    }
  }
  const hasRoom = () => !recorder.full && !guard.failing && !hangUp.aborted && inFlight < deps.rowsAtOnce()
  /** Sends the account's next row, where it has one and a slot for it. A job that a gate holds up is passed over: the others go on. */
  const sendNext = (account: string, heldUp: Set<number>): boolean => {
    for (;;) {
      const task = ready.peek(account, mayRun, heldUp)
      if (task === null) return false
      if (accountNow(task) !== account) {
        // Its job goes another way since it was put here.
        ready.take(account, task)
        add(task)
        continue
      }
      const pass = enterAll(partners.gates, task)
      if (pass === null) {
        heldUp.add(task.held.claim.jobNo)
        continue
      }
      const slot = governor.take(account, sizeOf(task))
      if (slot === null) {
        pass.leave('not sent')
        return false
      }
      lastServed = account
      void start(task, slot, pass, ready.take(account, task))
      return true
    }
  }
  const pumpAccount = (account: string) => {
    const heldUp = new Set<number>()
    while (hasRoom() && sendNext(account, heldUp));
  }
  /** A row of each account in turn, from the one after the last served: where room is scarce, no account takes it all. */
  const pump = () => {
    const heldUp = new Set<number>()
    let waiting = inTurn([...ready.accounts()], lastServed)
    while (waiting.length > 0) waiting = waiting.filter((account) => hasRoom() && sendNext(account, heldUp))
  }
  const leaves = [governor.onRoom(pumpAccount), ...partners.gates.map((gate) => gate.onRoom(pump))]

  return Object.freeze({
    add(tasks: readonly RowTask[]) {
      for (const task of tasks) add(task)
      pump()
    },
    pump,
    get inFlight() {
      return inFlight
    },
    drop(held: HeldChunk) {
      ready.drop(held)
      callOff((task) => task.held === held)
    },
    close() {
      for (const leave of leaves) leave()
      callOff(() => true)
    },
  })
}

/** The same in the same order, beginning after `last`. */
function inTurn(accounts: readonly string[], last: string): readonly string[] {
  const next = accounts.indexOf(last) + 1
  return next === 0 ? accounts : [...accounts.slice(next), ...accounts.slice(0, next)]
}
