import type { AttemptFact, AttemptIntent } from '../domain/attempt.ts'
import type { ChunkClaim } from '../domain/chunk.ts'
import type { Cause } from '../domain/failure.ts'
import { addCounters, type Counters, NO_COUNTS } from '../domain/job.ts'
import type { Outcome } from '../domain/row.ts'
import type { Events } from '../events.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'
import type { HeldChunk } from './held-chunk.ts'
import type { StorageGuard } from './storage-guard.ts'

/** Entries that one commit takes at the most: more would stall the event loop (engines.md §1). */
const GROUP_MAX = 128
/** Entries that may wait before the pool stops sending. */
const BACKLOG_MAX = 2_000

/**
 * Writes down what happened, in natural groups: whatever has come in while the previous commit was under way goes into the next one. It waits
 * for no count and no clock. Only after the commit is anyone told.
 */
export interface Recorder {
  /** Resolves when the intent is durable: the request may be sent. `false`: the chunk's epoch has passed, and it must not be. */
  intend(held: HeldChunk, intent: AttemptIntent): Promise<boolean>
  /** Books an ended attempt, with the row's outcome where it was the last. */
  end(held: HeldChunk, fact: AttemptFact | null, outcome: Outcome | null): void
  /** Closes a chunk whose rows all had outcomes before it was opened. */
  close(held: HeldChunk): void
  /** Too much waits to be written: send nothing more. */
  readonly full: boolean
  /** Time of the last commit, on the runtime's clock. */
  readonly lastCommitMs: number | null
  /** Resolves when all that was handed in so far is durable; rejects when the store gave up. */
  flush(): Promise<void>
}

interface Group {
  readonly intents: { readonly held: HeldChunk; readonly intent: AttemptIntent; readonly resolve: (go: boolean) => void }[]
  readonly facts: AttemptFact[]
  readonly outcomes: { readonly held: HeldChunk; readonly outcome: Outcome }[]
  readonly deltas: Map<HeldChunk, Counters>
  readonly closing: HeldChunk[]
}

const emptyGroup = (): Group => ({ intents: [], facts: [], outcomes: [], deltas: new Map(), closing: [] })
const sizeOf = (group: Group) => group.intents.length + group.facts.length + group.outcomes.length + group.closing.length

/** Creates the recorder of one worker. `onClosed` hears of chunks whose closing commit returned, or whose epoch had passed. */
export function createRecorder(deps: {
  readonly store: Store
  readonly queue: Queue
  readonly runtime: Runtime
  readonly events: Events
  readonly guard: StorageGuard
  readonly onRoom: () => void
  readonly onClosed: (held: HeldChunk) => void
}): Recorder {
  const { store, queue, runtime, events } = deps
  let groups: Group[] = [emptyGroup()]
  let running: Promise<void> | null = null
  let lastCommitMs: number | null = null
  let backlog = 0

  const open = (): Group => {
    const last = groups[groups.length - 1] as Group
    if (sizeOf(last) < GROUP_MAX) return last
    const next = emptyGroup()
    groups.push(next)
    return next
  }

  const close = (group: Group, held: HeldChunk) => {
    group.closing.push(held)
    backlog += 1
  }

  const commit = (group: Group) =>
    deps.guard.persist(() =>
      store.write(async (tx) => {
        const stale = await store.rows.record(tx, {
          intents: group.intents.map((entry) => entry.intent),
          facts: group.facts,
          outcomes: group.outcomes.map(({ held, outcome }) => ({ claim: held.claim, outcome, answerScope: held.run.answerScope })),
          deltas: [...group.deltas].map(([held, delta]) => ({ claim: held.claim, delta })),
        })
        const passed = new Set(stale.map(nameOf))
        const closed: HeldChunk[] = []
        for (const held of [...group.closing].sort((a, b) => a.claim.chunkNo - b.claim.chunkNo)) {
          if (passed.has(nameOf(held.claim))) continue
          const result = await store.chunks.complete(tx, held.claim, runtime.now())
          if (result === 'stale') {
            passed.add(nameOf(held.claim))
            continue
          }
          await queue.complete(tx, held.delivery)
          if (result === 'last') await queue.enqueue(tx, [finalizeMessage(held)])
          closed.push(held)
        }
        return { passed, closed }
      }),
    )

  const tell = (group: Group, passed: ReadonlySet<string>, closed: readonly HeldChunk[]) => {
    for (const entry of group.intents) {
      if (passed.has(nameOf(entry.held.claim))) entry.held.stale = true
      entry.resolve(!entry.held.stale)
    }
    for (const held of [...group.deltas.keys(), ...group.closing]) {
      if (held.stale || !passed.has(nameOf(held.claim))) continue
      held.stale = true
      events.emit('chunk.stale', { jobNo: held.claim.jobNo, chunkNo: held.claim.chunkNo })
    }
    for (const [held, delta] of group.deltas) {
      const mine = group.outcomes.filter((entry) => entry.held === held)
      if (held.stale || mine.length === 0) continue
      const causes = mine.flatMap((entry): Cause[] => (entry.outcome.cause === null ? [] : [entry.outcome.cause]))
      events.emit('rows.ended', { jobNo: held.claim.jobNo, rows: mine.length, delta, causes })
    }
    for (const held of closed) {
      held.closed = true
      events.emit('chunk.done', { jobNo: held.claim.jobNo, chunkNo: held.claim.chunkNo })
    }
    for (const held of group.closing) deps.onClosed(held)
  }

  const loop = async () => {
    while (sizeOf(groups[0] as Group) > 0) {
      const group = groups.shift() as Group
      if (groups.length === 0) groups.push(emptyGroup())
      const { passed, closed } = await commit(group)
      lastCommitMs = runtime.now()
      backlog -= sizeOf(group)
      tell(group, passed, closed)
      deps.onRoom()
    }
  }
  const kick = () => {
    // A microtask later: whatever ends in the same turn of the loop shares the commit.
    running ??= Promise.resolve()
      .then(loop)
      .finally(() => {
        running = null
        if (sizeOf(groups[0] as Group) > 0 && !deps.guard.failing) kick()
      })
    running.catch(() => {
      // The guard has told the worker; flush() rejects for whoever waits.
      for (const group of groups) for (const entry of group.intents) entry.resolve(false)
      groups = [emptyGroup()]
    })
  }

  return Object.freeze({
    intend(held: HeldChunk, intent: AttemptIntent) {
      if (held.stale) return Promise.resolve(false)
      return new Promise<boolean>((resolve) => {
        open().intents.push({ held, intent, resolve })
        backlog += 1
        kick()
      })
    },
    end(held: HeldChunk, fact: AttemptFact | null, outcome: Outcome | null) {
      const group = open()
      if (fact !== null) {
        group.facts.push(fact)
        backlog += 1
      }
      if (outcome !== null) {
        group.outcomes.push({ held, outcome })
        backlog += 1
        held.open -= 1
        if (held.open === 0) close(group, held)
      }
      group.deltas.set(held, addCounters(group.deltas.get(held) ?? NO_COUNTS, countersOf(fact, outcome)))
      kick()
    },
    close(held: HeldChunk) {
      close(open(), held)
      kick()
    },
    get full() {
      return backlog >= BACKLOG_MAX
    },
    get lastCommitMs() {
      return lastCommitMs
    },
    async flush() {
      while (running !== null) await running
    },
  })
}

function nameOf(claim: ChunkClaim): string {
  return `${claim.jobNo}/${claim.chunkNo}/${claim.epoch}`
}

function finalizeMessage(held: HeldChunk) {
  const { job } = held.run
  return {
    task: { kind: 'finalize' as const, jobNo: job.jobNo, round: job.round },
    tenantNo: job.tenantNo,
    priority: 'high' as const,
  }
}

/** What one attempt and one outcome add to their chunk's counters. */
function countersOf(fact: AttemptFact | null, outcome: Outcome | null): Counters {
  const delta = { ...NO_COUNTS } as { -readonly [K in keyof Counters]: number }
  if (fact !== null) {
    delta.attempts = 1
    delta.inputTokens = fact.usage.inputTokens
    delta.cachedTokens = fact.usage.cachedInputTokens
    delta.outputTokens = fact.usage.outputTokens
    delta.costNano = fact.costNano ?? 0
    delta.unpriced = fact.costNano === null ? 1 : 0
  }
  if (outcome !== null) {
    delta[outcome.state] = 1
    if (outcome.lane === 'cache' && outcome.state === 'succeeded') delta.cached = 1
    if (outcome.attempts > 1) delta.retried = 1
    if (outcome.fallback) delta.fallback = 1
  }
  return delta
}
