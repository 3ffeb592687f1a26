/**
 * The line of tenants (start-time fair queueing, https://doi.org/10.1145/248156.248171): whoever has had least for its weight is served next. What a
 * tenant has had is counted in thousandths of tokens, divided by its weight: in `Had`. Whole numbers.
 */
export type Had = number

/** A tenant that has messages waiting. */
export interface TenantWaiting {
  readonly tenantNo: number
  readonly weight: number
  readonly had: Had
  /** Where the line stood when the message was put into it that would be its next. */
  readonly level: Had
  /** Tokens that a chunk of its jobs takes, by those that ended; `null`: none has. */
  readonly typical: number | null
  /** Further messages that it may hold; `null`: any number. */
  readonly room: number | null
  /** It is served only where none of the others can be. */
  readonly isLast: boolean
}

/** What a tenant gets of one fetch. */
export interface TenantTurn {
  readonly tenantNo: number
  readonly messages: number
  /** What each of them is put down as, until it is known what it has taken. */
  readonly each: Had
  /** What the tenant is taken to have had before them. */
  readonly start: Had
}

/** What a chunk is taken for that nobody knows anything of. */
const FIRST_TYPICAL = 1_000
/** What a chunk counts for at the least, in tokens: also one whose answers were there before takes time. */
export const LEAST_TOKENS = 100
/** A tenant that could not be served for a while is owed so many of the largest messages, and no more: nobody waits for it for long. */
const OWED = 8

/** So many tokens of a tenant of this weight. */
export function hadOf(tokens: number, weight: number): Had {
  return Math.round((tokens * 1000) / weight)
}

/**
 * Who gets how many of the next `limit` messages, in the order in which they were served first. `front` is where the line stands: what the one had who
 * was last served. A tenant that comes new, or had nothing waiting for a while, begins there, and is owed nothing for the time before.
 */
export function nextTurns(waiting: readonly TenantWaiting[], limit: number, front: Had): readonly TenantTurn[] {
  const known = waiting.flatMap(({ typical }) => (typical === null ? [] : [typical]))
  const unknown = known.length === 0 ? FIRST_TYPICAL : known.reduce((sum, typical) => sum + typical, 0) / known.length
  const eachOf = ({ typical, weight }: TenantWaiting) => Math.max(1, hadOf(typical ?? unknown, weight))
  const owedFrom = front - OWED * Math.max(0, ...waiting.map(eachOf))
  const lines = waiting.map((tenant) => {
    const start = Math.max(tenant.had, tenant.level, owedFrom)
    const { tenantNo, room, isLast } = tenant
    return { tenantNo, isLast, room: room ?? limit, start, each: eachOf(tenant), messages: 0, had: start }
  })
  const served: typeof lines = []
  for (let left = limit; left > 0; left -= 1) {
    const next = first(lines.filter(({ messages, room }) => messages < room))
    if (next === null) break
    if (next.messages === 0) served.push(next)
    next.messages += 1
    next.had += next.each
  }
  return served.map(({ tenantNo, messages, each, start }) => ({ tenantNo, messages, each, start }))
}

interface Place {
  readonly isLast: boolean
  readonly had: Had
}

function first<T extends Place>(lines: readonly T[]): T | null {
  return lines.reduce<T | null>((best, line) => (best === null || isBefore(line, best) ? line : best), null)
}

function isBefore(a: Place, b: Place): boolean {
  return a.isLast === b.isLast ? a.had < b.had : b.isLast
}
