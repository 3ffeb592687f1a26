import type { Priority } from '../domain/job.ts'
import type { Usage } from '../domain/usage.ts'
import { createEstimator } from '../limit/estimate.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'
import { sizeOf } from './request-size.ts'

/**
 * Rows that wait for a slot of their account. What goes over it is shared among tenants by their weights, and a tenant's among its jobs by weight of
 * priority, both counted in tokens (stride scheduling: Waldspurger and Weihl 1995): whoever has had least for its weight is next, so that nobody
 * starves and no job holds up another. A job's priority moves nothing between tenants.
 */
export interface ReadyQueues {
  push(account: string, task: RowTask): void
  /** The row whose turn it is, jobs in `heldUp` being passed over; rows that may not run any more are dropped on the way. */
  peek(account: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>): RowTask | null
  /** Takes the row that `peek` showed, and passes the turn on: what its job's requests took lately is put on its account. */
  take(account: string, shown: RowTask): Served
  accounts(): Iterable<string>
  drop(held: HeldChunk): void
}

type Tokens = Pick<Usage, 'inputTokens' | 'outputTokens'>

/** A request that had its turn. */
export interface Served {
  /** To be called at most once, with what it really took: what was put on its account is set right. */
  end(used: Tokens): void
}

/** Of what is fought for, a job of high priority has four for each that one of low priority has. */
const WEIGHTS: Readonly<Record<Priority, number>> = { high: 4, normal: 2, low: 1 }

/** Rows of one job, or of all jobs of a tenant. */
interface Party {
  /** What it has had, divided by its weight. */
  had: number
  /** What it is owed at the most when it comes back after a while without anything waiting. */
  owed: number
  /** Counts up from turn to turn: of equals, whoever has waited longest is next. */
  lastTurn: number
}

interface Line extends Party {
  tasks: RowTask[]
  head: number
}

/** Parties that share something, by number. */
interface Group<P extends Party> {
  readonly parties: Map<number, P>
  /** What the party had that was served last: whoever comes begins here, and is owed nothing for the time before. */
  level: number
}

interface Tenant extends Party, Group<Line> {}

/** What a request counts for at the least, in tokens: also those that nobody answers take their turns. */
const LEAST = 1
/** Before anything is known, of the bytes of a request. */
const FIRST_SHARE = 0.25
/** What was learned of more jobs and accounts than so many is learned anew. */
const MOST_GROUPS = 900
/** A tenant whose next chunk comes a moment late is owed so many requests, and no more. */
const OWED = 32

/** Creates empty queues. */
export function createReadyQueues(): ReadyQueues {
  const accounts = new Map<string, Group<Tenant>>()
  const thoughts = createThoughts()
  let turns = 0

  const serve = <P extends Party>(group: Group<P>, party: P, amount: number) => {
    turns += 1
    group.level = Math.max(group.level, party.had)
    party.had += amount
    party.lastTurn = turns
  }
  const lineOf = (account: Group<Tenant> | undefined, { run, claim }: HeldChunk) => {
    const tenant = account?.parties.get(run.job.tenantNo)
    const line = tenant?.parties.get(claim.jobNo)
    return tenant === undefined || line === undefined ? null : { tenant, line }
  }

  return Object.freeze({
    push(name: string, task: RowTask) {
      const account = accounts.get(name) ?? { parties: new Map<number, Tenant>(), level: 0 }
      accounts.set(name, account)
      const { run, claim } = task.held
      const nobody = () => ({ ...newcomer(), parties: new Map(), level: 0 })
      const tenant = join(account, run.job.tenantNo, isIdle, nobody)
      tenant.owed = (OWED * thoughts.of(name, task)) / weightOf(task)
      const empty = () => ({ ...newcomer(), tasks: [], head: 0 })
      join(tenant, claim.jobNo, isEmpty, empty).tasks.push(task)
    },
    peek(name: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>) {
      const account = accounts.get(name)
      if (account === undefined) return null
      const ofJob = (line: Line, jobNo: number) => waiting(line, mayRun, heldUp.has(jobNo))
      const line = first(account, (tenant) => (isIdle(tenant) ? 'over' : first(tenant, ofJob)))
      return line === null ? null : (line.tasks[line.head] as RowTask)
    },
    take(name: string, shown: RowTask) {
      const account = accounts.get(name)
      const found = lineOf(account, shown.held)
      if (account === undefined || found === null) return NOT_SERVED
      const { tenant, line } = found
      const { run } = shown.held
      const [ofTenant, ofJob] = [weightOf(shown), WEIGHTS[run.settings.priority ?? run.spec.priority]]
      const thought = thoughts.of(name, shown)
      advance(line)
      serve(account, tenant, thought / ofTenant)
      serve(tenant, line, thought / ofJob)
      return {
        end(used: Tokens) {
          const more = tokensOf(used) - thought
          tenant.had += more / ofTenant
          line.had += more / ofJob
          if (used.inputTokens > 0) thoughts.learn(name, shown, used)
        },
      }
    },
    accounts: () => accounts.keys(),
    drop(held: HeldChunk) {
      for (const account of accounts.values()) {
        const line = lineOf(account, held)?.line
        if (line === undefined) continue
        line.tasks = line.tasks.slice(line.head).filter((task) => task.held !== held)
        line.head = 0
      }
    },
  })
}

/**
 * What requests are thought to take, in tokens: as those of their job took, or, before one of these has ended, those of their account. Before all that it is
 * rather too little: whoever comes meanwhile begins where the others seem to stand, and is never set right.
 */
function createThoughts() {
  const estimator = createEstimator()
  const known = new Set<string>()
  return {
    of(account: string, task: RowTask): number {
      const size = sizeOf(task)
      const group = [size.group, account].find((one) => known.has(one))
      if (group === undefined) return Math.max(LEAST, FIRST_SHARE * size.worstInputTokens)
      return tokensOf(estimator.estimate({ ...size, group }))
    },
    learn(account: string, task: RowTask, used: Tokens): void {
      const size = sizeOf(task)
      for (const group of [size.group, account]) {
        estimator.learn({ ...size, group }, used)
        known.add(group)
      }
      if (known.size > MOST_GROUPS) known.clear()
    },
  }
}

const NOT_SERVED: Served = Object.freeze({ end: () => undefined })

function tokensOf({ inputTokens, outputTokens }: Tokens): number {
  return Math.max(LEAST, inputTokens + outputTokens)
}

/** Of what tenants fight for. */
function weightOf({ held: { run } }: RowTask): number {
  return run.caps?.weight ?? 1
}

function newcomer(): Party {
  return { had: 0, owed: 0, lastTurn: 0 }
}

/** The group's party of this number. One that comes new is owed nothing for the time before. */
function join<P extends Party>(group: Group<P>, no: number, isAway: (party: P) => boolean, create: () => P): P {
  const known = group.parties.get(no)
  if (known !== undefined) {
    if (isAway(known)) known.had = Math.max(known.had, group.level - known.owed)
    return known
  }
  const party = create()
  party.had = group.level
  group.parties.set(no, party)
  return party
}

/**
 * What the first party that has something offers. One that has had its share and nothing more to offer is forgotten; one that is held up is not owed
 * what it could have had.
 */
function first<P extends Party, T>(group: Group<P>, offer: (party: P, no: number) => T | 'over' | null): T | null {
  let best: { readonly party: P; readonly offered: T } | null = null
  for (const [no, party] of group.parties) {
    if (best !== null && !isBefore(party, best.party)) continue
    const offered = offer(party, no)
    if (offered === 'over' && party.had + party.owed <= group.level) group.parties.delete(no)
    else if (offered === null) party.had = Math.max(party.had, group.level)
    else if (offered !== 'over') best = { party, offered }
  }
  return best?.offered ?? null
}

function isBefore(a: Party, b: Party): boolean {
  return a.had < b.had || (a.had === b.had && a.lastTurn < b.lastTurn)
}

/** The line, where it has a row that may run now; `over`: it has none at all. */
function waiting(line: Line, mayRun: (task: RowTask) => boolean, isHeldUp: boolean): Line | 'over' | null {
  if (isHeldUp) return null
  while (line.head < line.tasks.length && !mayRun(line.tasks[line.head] as RowTask)) advance(line)
  return isEmpty(line) ? 'over' : line
}

function isEmpty(line: Line): boolean {
  return line.head >= line.tasks.length
}

function isIdle(tenant: Tenant): boolean {
  for (const line of tenant.parties.values()) if (!isEmpty(line)) return false
  return true
}

function advance(line: Line): void {
  line.head += 1
  if (line.head > 1024 && line.head * 2 > line.tasks.length) {
    line.tasks = line.tasks.slice(line.head)
    line.head = 0
  }
}
