import type { Outcome } from '../domain/row.ts'
import type { AnswerClaim, AnswerSource } from '../store/role/answers.ts'
import { isAccepted } from './accept.ts'
import { type HeldChunk, type RowTask, staysHere } from './held-chunk.ts'
import { createLeads, type Lead, type Leads } from './leads.ts'
import { type Answer, reusedOutcome } from './outcomes.ts'
import { createParking } from './parking.ts'
import type { Pool } from './pool.ts'
import type { Recorder } from './recorder.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** How often a request is looked at that a row of this very worker has, which nobody here knows any more: its end is being committed. */
const LOOKS = 3

/**
 * Sees to it that of all rows with the same request one asks, in this process and over all workers. The others take its answer, if it will do for
 * them; where it fails one of them asks next, where that fails two, and so on.
 */
export interface Reuse {
  /** Finds out for each row whether it asks, has its answer already, or waits for another; those that ask go into the pool. */
  admit(tasks: readonly RowTask[]): Promise<void>
  /** A row's outcome was handed to the recorder. */
  ended(held: HeldChunk, outcome: Outcome): void
  /** The chunk has left this worker. */
  leave(held: HeldChunk): void
}

interface ReusePartners {
  readonly recorder: Pick<Recorder, 'end' | 'flush'>
  readonly guard: StorageGuard
  readonly pool: Pick<Pool, 'add'>
  /** Gives a chunk back that only waits, to come again after `ms`. */
  readonly park: (held: HeldChunk, ms: number) => Promise<void>
  readonly onDefect: (error: unknown) => void
}

/** Rows with the same request; the first claims it for all. */
type Group = readonly [RowTask, ...RowTask[]]

/** What is known of requests that are claimed again. */
interface Again {
  /** From whom each may be taken, by its hash. */
  readonly over: Map<string, AnswerSource>
  /** How often those that asked have failed, one after the other. */
  readonly failures: number
}

/** One look at all requests: from 1, which rows ask, and which have to claim again. */
interface Round {
  readonly look: number
  readonly asks: RowTask[]
  readonly left: RowTask[]
}

/** Creates the reuse of one worker. */
export function createReuse(deps: WorkerDeps, partners: ReusePartners): Reuse {
  const { store } = deps
  const { recorder, guard, pool, park, onDefect } = partners
  const leads = createLeads()

  /** Sees what the claim on a request means for its rows: they ask, are answered, wait, or have to claim it again. */
  const sort = async (group: Group, won: AnswerClaim, again: Again, { look, asks, left }: Round): Promise<void> => {
    const [first] = group
    if (won.kind === 'mine') {
      if (isHere(first)) asks.push(...lead(leads, group.filter(isHere), again.failures))
      else left.push(...takeOver(again, group, sourceOf(first)))
      return
    }
    if (won.kind === 'answered') {
      const rejected = reuse(deps, recorder, group, { outcome: won.outcome, jobNo: won.source.jobNo })
      left.push(...takeOver(again, rejected, won.source))
      return
    }
    const ours = won.owner === deps.workerId
    if (ours && look < LOOKS) left.push(...group)
    else if (!ours && won.owner !== null && (await deps.isGone(won.owner)))
      left.push(...takeOver(again, group, won.source))
    else parking.wait(group)
  }
  const admit = async (tasks: readonly RowTask[], again: Again = { over: new Map(), failures: 0 }): Promise<void> => {
    let open = tasks.filter(isHere)
    for (let look = 1; open.length > 0; look += 1) {
      const groups = follow(leads, open)
      if (groups.length === 0) return
      const claims = await claim(deps, partners, groups, again)
      const round: Round = { look, asks: [], left: [] }
      for (const group of groups) await sort(group, claims.get(group[0].requestHash) as AnswerClaim, again, round)
      pool.add(round.asks)
      // What is looked at again may stand in what is just being written.
      if (round.left.length > 0) await recorder.flush()
      open = round.left.filter(isHere)
    }
  }
  const admitLater = (tasks: readonly RowTask[], again?: Again) => {
    if (tasks.length > 0) admit(tasks, again).catch(onDefect)
  }
  const parking = createParking({ flush: recorder.flush, look: (tasks) => admit(tasks), park, onDefect })

  /** The claim's own row has failed, and another that asked with it has not: later ones are to find its answer. */
  const hand = ({ source }: Lead, { run, claim: held }: HeldChunk, { requestHash, rowIndex }: Outcome) => {
    const wish = { requestHash: requestHash as string, by: { ...held, rowIndex }, over: source }
    guard.persist(() => store.answers.claim(run.job.tenantNo, run.answerScope as string, [wish])).catch(onDefect)
  }
  /** Goes on with those that followed a row which has ended. */
  const settle = (followed: Lead, held: HeldChunk, outcome: Outcome) => {
    const { jobNo } = held.claim
    const succeeded = outcome.state === 'succeeded'
    if (!succeeded && followed.asking > 0) return
    leads.close(followed)
    const { source, failures } = followed
    const followers = followed.followers.splice(0)
    const left = succeeded ? reuse(deps, recorder, followers, { outcome, jobNo }) : followers
    const again = { over: new Map(), failures: failures + 1 }
    admitLater(takeOver(again, left, source), again)
    if (succeeded && left.length === 0 && outcome.rowIndex !== source.rowIndex) hand(followed, held, outcome)
  }

  return Object.freeze({
    admit(tasks: readonly RowTask[]) {
      if (tasks.length > 0 && tasks[0]?.held.run.answerScope !== null) return admit(tasks)
      pool.add(tasks)
      return Promise.resolve()
    },
    ended(held: HeldChunk, outcome: Outcome) {
      const followed = leads.end(held, outcome.rowIndex)
      if (followed !== null) settle(followed, held, outcome)
      parking.check(held)
    },
    leave(held: HeldChunk) {
      parking.leave(held)
      for (const { followers } of leads.leave(held)) admitLater(followers)
    },
  })
}

/** Lets rows of one scope follow whoever asks the same in this process; returns the others by their requests. */
function follow(leads: Leads, tasks: readonly RowTask[]): readonly Group[] {
  const scope = scopeOf(tasks[0] as RowTask)
  const groups: Group[] = []
  for (const [requestHash, group] of Map.groupBy(tasks, (task) => task.requestHash)) {
    const known = leads.find(scope, requestHash)
    if (known === null) groups.push(group as readonly RowTask[] as Group)
    else known.followers.push(...group)
  }
  return groups
}

/** All rows are of one tenant and scope. */
function claim({ store }: WorkerDeps, { guard }: ReusePartners, groups: readonly Group[], { over }: Again) {
  const wishes = groups.map(([first]) => {
    const { requestHash } = first
    return { requestHash, by: sourceOf(first), over: over.get(requestHash) ?? null }
  })
  const { job, answerScope } = (groups[0] as Group)[0].held.run
  return guard.persist(() => store.answers.claim(job.tenantNo, answerScope as string, wishes))
}

/** The first row has the claim and asks, and after failures some more; the others follow. Returns those that ask. */
function lead(leads: Leads, tasks: readonly RowTask[], failures: number): readonly RowTask[] {
  const first = tasks[0] as RowTask
  const asks = tasks.slice(0, 2 ** failures)
  const [scope, source, followers] = [scopeOf(first), sourceOf(first), tasks.slice(asks.length)]
  leads.open({ requestHash: first.requestHash, scope, source, followers, failures, asking: asks.length }, asks)
  return asks
}

/** Notes from whom these rows' request may be taken, and returns the rows. */
function takeOver({ over }: Again, tasks: readonly RowTask[], source: AnswerSource): readonly RowTask[] {
  for (const task of tasks.slice(0, 1)) over.set(task.requestHash, source)
  return tasks
}

/** Gives an answer to rows; returns those for which it will not do. */
function reuse(deps: WorkerDeps, recorder: Pick<Recorder, 'end'>, tasks: readonly RowTask[], answer: Answer) {
  return tasks.filter(isHere).filter((task) => {
    if (answer.outcome.output === null || !isAccepted(task, answer.outcome.output)) return true
    recorder.end(task.held, null, reusedOutcome(task, answer, deps.runtime.now()))
    return false
  })
}

function isHere({ held }: RowTask): boolean {
  return staysHere(held)
}

function scopeOf({ held: { run } }: RowTask): string {
  return `${run.job.tenantNo}\n${run.answerScope}`
}

function sourceOf({ held, row }: RowTask): AnswerSource {
  const { jobNo, chunkNo, epoch } = held.claim
  return { jobNo, chunkNo, epoch, rowIndex: row.index }
}
