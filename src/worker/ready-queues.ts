import type { Priority } from '../domain/job.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'

/**
 * Rows that wait for a slot of their account. Its slots are shared among tenants, and a tenant's among its jobs, by weight of priority (stride
 * scheduling: Waldspurger and Weihl 1995): whoever has had least for its weight is next, so that nobody starves and no job holds up another.
 */
export interface ReadyQueues {
  push(account: string, task: RowTask): void
  /** The row whose turn it is, jobs in `heldUp` being passed over; rows that may not run any more are dropped on the way. */
  peek(account: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>): RowTask | null
  /** Takes the row that `peek` showed, and passes the turn on. */
  take(account: string, shown: RowTask): void
  accounts(): Iterable<string>
  drop(held: HeldChunk): void
}

/** Of the slots that are fought for, a job of high priority has four for each that one of low priority has. */
const WEIGHTS: Readonly<Record<Priority, number>> = { high: 4, normal: 2, low: 1 }

/** Rows of one job, or of all jobs of a tenant. */
interface Party {
  /** What it has had, divided by its weight. */
  had: number
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

/** Creates empty queues. */
export function createReadyQueues(): ReadyQueues {
  const accounts = new Map<string, Group<Tenant>>()
  let turns = 0

  const serve = <P extends Party>(group: Group<P>, party: P, weight: number) => {
    turns += 1
    group.level = Math.max(group.level, party.had)
    party.had += 1 / weight
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
      const tenant = join(account, run.job.tenantNo, isIdle, () => ({ ...newcomer(), parties: new Map(), level: 0 }))
      join(tenant, claim.jobNo, isEmpty, () => ({ ...newcomer(), tasks: [], head: 0 })).tasks.push(task)
    },
    peek(name: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>) {
      const account = accounts.get(name)
      if (account === undefined) return null
      const line = first(account, (tenant) => first(tenant, (line, jobNo) => waiting(line, mayRun, heldUp.has(jobNo))))
      return line === null ? null : (line.tasks[line.head] as RowTask)
    },
    take(name: string, shown: RowTask) {
      const account = accounts.get(name)
      const found = lineOf(account, shown.held)
      if (account === undefined || found === null) return
      const { tenant, line } = found
      const weight = weightOf(shown)
      advance(line)
      serve(account, tenant, weight)
      serve(tenant, line, weight)
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

function weightOf({ held: { run } }: RowTask): number {
  return WEIGHTS[run.settings.priority ?? run.spec.priority]
}

function newcomer(): Party {
  return { had: 0, lastTurn: 0 }
}

/** The group's party of this number. One that comes, or had nothing waiting for a while, is not owed what it could have had. */
function join<P extends Party>(group: Group<P>, no: number, isAway: (party: P) => boolean, create: () => P): P {
  const known = group.parties.get(no)
  const party = known ?? create()
  if (known === undefined) group.parties.set(no, party)
  if (isAway(party)) party.had = Math.max(party.had, group.level)
  return party
}

/** What the first party that has something offers. One that has had its share and nothing more to offer is forgotten. */
function first<P extends Party, T>(group: Group<P>, offer: (party: P, no: number) => T | 'over' | null): T | null {
  let best: { readonly party: P; readonly offered: T } | null = null
  for (const [no, party] of group.parties) {
    if (best !== null && !isBefore(party, best.party)) continue
    const offered = offer(party, no)
    if (offered === 'over' && party.had <= group.level) group.parties.delete(no)
    else if (offered !== null && offered !== 'over') best = { party, offered }
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
