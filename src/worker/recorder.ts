import { setImmediate } from 'node:timers/promises'
import type { AttemptFact, AttemptIntent } from '../domain/attempt.ts'
import { CAUSE_RULES, type Cause } from '../domain/failure.ts'
import { addCounters, NO_COUNTS } from '../domain/job.ts'
import { countsOfOutcome } from '../domain/outcome-counts.ts'
import type { Outcome } from '../domain/row.ts'
import type { AttemptEnd, Events, RowEnd } from '../events.ts'
import { type CommitDeps, type Committed, commitGroup, emptyGroup, type Group, nameOf, sizeOf } from './commit-group.ts'
import type { HeldChunk } from './held-chunk.ts'
import { usedBy } from './outcomes.ts'

/** Entries that one commit takes at the most, an attempt being up to three: more would stall the event loop (engines.md §1). */
const GROUP_MAX = 300
/** Turns of the event loop that a group waits at the most, as long as each brings more. */
const GATHER_TURNS = 8
/** Entries that may wait before the pool stops sending. */
const BACKLOG_MAX = 2_000

/**
 * Writes down what happened, in natural groups: whatever has come in by the time the previous commit is over goes into the next one. It waits
 * for no count and no clock. Only after the commit is anyone told.
 */
export interface Recorder {
  /** Resolves when the intent is durable: the request may be sent. `false`: the chunk's epoch or the job's grant has passed, and it must not be. */
  intend(held: HeldChunk, intent: AttemptIntent): Promise<boolean>
  /** Books an ended attempt, with the row's outcome where it was the last. `partId`: it is a result of this part of a batch. */
  end(held: HeldChunk, fact: AttemptFact | null, outcome: Outcome | null, partId?: string): void
  /** Closes a chunk whose rows all had outcomes before it was opened. */
  close(held: HeldChunk): void
  /** Closes the parts of a chunk that have come back by batch: all that they brought was handed in. */
  settle(held: HeldChunk): void
  /** Too much waits to be written: send nothing more. */
  readonly full: boolean
  /** Time of the last commit, on the runtime's clock. */
  readonly lastCommitMs: number | null
  /** Resolves when all that was handed in so far is durable, or never will be: then `onBroken` has heard why. */
  flush(): Promise<void>
}

/** The group, in which the chunk's claim is looked at with those of the others. */
function fenced(group: Group, held: HeldChunk): Group {
  if (!group.deltas.has(held)) group.deltas.set(held, NO_COUNTS)
  return group
}

interface RecorderDeps extends CommitDeps {
  readonly events: Events
  /** Hears of each outcome as soon as it was handed in. */
  readonly onOutcome: (held: HeldChunk, outcome: Outcome) => void
  /** Hears after each commit. */
  readonly onRoom: () => void
  /** Hears of chunks whose closing commit returned, or whose epoch had passed. */
  readonly onClosed: (held: HeldChunk) => void
  /** Hears once, when a commit could not be made: nothing more is written. */
  readonly onBroken: (error: unknown) => void
}

/** Creates the recorder of one worker. */
export function createRecorder(deps: RecorderDeps): Recorder {
  let groups: Group[] = [emptyGroup()]
  let committing: Group | null = null
  let state: 'idle' | 'writing' | 'broken' = 'idle'
  let lastCommitMs: number | null = null
  let backlog = 0

  /**
   * Lets in what is already at the door. A commit does not yield to the event loop: without a turn of it, each answer that came in meanwhile would
   * get a commit of its own. The first turn that brings nothing ends the wait.
   */
  const gather = async () => {
    let before = -1
    for (let turns = 0; turns < GATHER_TURNS && backlog !== before && backlog < GROUP_MAX; turns += 1) {
      before = backlog
      await setImmediate()
    }
  }
  const write = async () => {
    while (sizeOf(groups[0] as Group) > 0) {
      await gather()
      const group = groups.shift() as Group
      if (groups.length === 0) groups.push(emptyGroup())
      committing = group
      const result = await commitGroup(deps, group)
      backlog -= sizeOf(group)
      lastCommitMs = deps.runtime.now()
      tell(deps, group, result)
      group.over.resolve()
      committing = null
      deps.onRoom()
    }
    state = 'idle'
  }
  const giveUp = (error: unknown) => {
    state = 'broken'
    const unwritten = committing === null ? groups : [committing, ...groups]
    groups = [emptyGroup()]
    deps.onBroken(error)
    for (const group of unwritten) {
      for (const entry of group.intents) entry.resolve(false)
      group.over.resolve()
    }
  }
  /** The group that takes the next entry; it will be written soon. */
  const open = (entries: number): Group => {
    backlog += entries
    if (state === 'idle') {
      state = 'writing'
      queueMicrotask(() => write().catch(giveUp))
    }
    const last = groups[groups.length - 1] as Group
    if (sizeOf(last) < GROUP_MAX) return last
    const next = emptyGroup()
    groups.push(next)
    return next
  }

  return Object.freeze({
    intend(held: HeldChunk, intent: AttemptIntent) {
      if (held.stale || state === 'broken') return Promise.resolve(false)
      return new Promise<boolean>((resolve) => open(1).intents.push({ held, intent, resolve }))
    },
    end(held: HeldChunk, fact: AttemptFact | null, outcome: Outcome | null, partId?: string) {
      if (state === 'broken') return
      if (outcome !== null) held.open -= 1
      const closes = outcome !== null && held.open === 0
      const group = open(Number(fact !== null) + Number(outcome !== null) + Number(closes))
      let delta = group.deltas.get(held) ?? NO_COUNTS
      if (fact !== null) {
        group.facts.push({ held, fact, last: outcome !== null, partId: partId ?? null })
        if (partId === undefined) held.tokens += fact.usage.inputTokens + fact.usage.outputTokens
        delta = addCounters(delta, usedBy(fact))
      }
      if (outcome !== null) {
        group.outcomes.push({ held, outcome })
        delta = addCounters(delta, countsOfOutcome(outcome))
      }
      group.deltas.set(held, delta)
      if (closes) group.closing.push(held)
      if (outcome !== null) deps.onOutcome(held, outcome)
    },
    close(held: HeldChunk) {
      if (state === 'broken') return
      fenced(open(1), held).closing.push(held)
    },
    settle(held: HeldChunk) {
      if (state === 'broken' || held.parts.length === 0) return
      fenced(open(1), held).settling.push(held)
    },
    get full() {
      return backlog >= BACKLOG_MAX
    },
    get lastCommitMs() {
      return lastCommitMs
    },
    async flush() {
      const last = groups[groups.length - 1] as Group
      await (sizeOf(last) > 0 ? last : committing)?.over.promise
    },
  })
}

/** Says what the commit holds, and what it does not. */
function tell(
  { events, onClosed, grants }: RecorderDeps,
  group: Group,
  { passed, closed, ungranted }: Committed,
): void {
  const hasPassed = (held: HeldChunk) => passed.size > 0 && passed.has(nameOf(held.claim))
  if (passed.size > 0) {
    const named = [...group.intents.map((entry) => entry.held), ...group.deltas.keys(), ...group.closing]
    for (const held of named) {
      if (held.stale || !hasPassed(held)) continue
      held.stale = true
      events.emit('chunk.stale', { jobNo: held.claim.jobNo, chunkNo: held.claim.chunkNo })
    }
  }
  grants.booked(
    group.facts.map((entry) => entry.fact),
    ungranted,
  )
  for (const { held, resolve } of group.intents) resolve(!held.stale && !ungranted.has(held.claim.jobNo))
  for (const { held, fact, last } of group.facts) {
    const { cause } = fact
    const again = !last && cause !== null && CAUSE_RULES[cause].retry !== 'pause'
    events.emit('attempt.ended', attemptEnd(held, fact, again))
  }
  for (const [held, delta] of group.deltas) {
    const outcomes = group.outcomes.filter((entry) => entry.held === held)
    if (outcomes.length === 0 || hasPassed(held)) continue
    const causes = outcomes.flatMap(({ outcome }): Cause[] => (outcome.cause === null ? [] : [outcome.cause]))
    const each = () => outcomes.map(({ outcome }) => rowEnd(outcome))
    events.emit('rows.ended', { ...placeOf(held), rows: outcomes.length, delta, causes, each })
  }
  for (const held of group.settling) held.parts = []
  for (const held of closed) {
    held.closed = true
    events.emit('chunk.done', { jobNo: held.claim.jobNo, chunkNo: held.claim.chunkNo })
  }
  for (const held of group.closing) onClosed(held)
}

function placeOf({ claim, run }: HeldChunk) {
  const { jobNo, chunkNo } = claim
  return { jobNo, chunkNo, jobId: run.job.id, tenantNo: run.job.tenantNo }
}

function attemptEnd(
  held: HeldChunk,
  { intent, cause, usage, costNano, endedAtMs }: AttemptFact,
  again: boolean,
): AttemptEnd {
  const { rowIndex, round, number, model, lane, startedAtMs } = intent
  const tokens = usage.inputTokens + usage.outputTokens
  const request = { rowIndex, round, number, model, lane, startedAtMs, endedAtMs }
  return { ...placeOf(held), ...request, cause, tokens, usage, costNano, again }
}

/** Without what the row holds, or was answered. */
function rowEnd({ rowIndex, state, cause, attempts, lane, inputTokens, outputTokens, endedAtMs }: Outcome): RowEnd {
  return { rowIndex, state, cause, attempts, lane, inputTokens, outputTokens, endedAtMs }
}
