import { addSums, dayText, firstDay, isAccepted, type LedgerPart, NO_SUMS } from '../domain/ledger.ts'
import { SluiceError } from '../errors.ts'
import { specFromCanonical } from '../spec/canonical.ts'
import type { JobCost } from '../store/role/costs.ts'
import type { CostKey, CostLine, CostReport, CostRequest } from './cost-report.ts'
import type { EngineDeps } from './engine-deps.ts'

const NOTHING: CostLine = Object.freeze({
  key: null,
  ...NO_SUMS,
  open: 0,
  failedCostNano: 0,
  lostCostNano: 0,
  orphanedCostNano: 0,
})

/** Rolls up the ledgers of all jobs of the tenant, running ones as they stand. Throws SluiceError `usage` for a day that is none. */
export async function costsOf(deps: EngineDeps, { by, since }: CostRequest): Promise<CostReport> {
  const fromDay = since === null ? null : firstDay(since)
  if (fromDay !== null && Number.isNaN(fromDay)) {
    throw new SluiceError('usage', `'${since}' is no day`, { hint: 'Write it as 2026-11-22.' })
  }
  const keyOf = keyReader(deps, by)
  const lines = new Map<string | null, CostLine>()
  let total = NOTHING
  for await (const cost of deps.store.costs.ofTenant(deps.tenantNo, fromDay)) {
    const key = await keyOf(cost)
    lines.set(key, { ...plus(lines.get(key) ?? NOTHING, cost.part), key })
    total = plus(total, cost.part)
  }
  const inOrder = by === 'day' ? byKey : dearestFirst
  return { by, since, lines: [...lines.values()].sort(inOrder), total }
}

function plus(line: CostLine, part: LedgerPart): CostLine {
  if (part.state === 'open') return { ...line, open: line.open + part.attempts }
  return {
    ...line,
    ...addSums(line, part),
    failedCostNano: line.failedCostNano + (isAccepted(part) ? 0 : part.costNano),
    lostCostNano: line.lostCostNano + (part.state === 'lost' ? part.costNano : 0),
    orphanedCostNano: line.orphanedCostNano + (part.state === 'orphaned' ? part.costNano : 0),
  }
}

type KeyReader = (cost: JobCost) => string | null | Promise<string | null>

function keyReader(deps: EngineDeps, by: CostKey): KeyReader {
  if (by === 'spec') return ({ specName }) => specName
  if (by === 'model') return ({ part }) => part.model
  if (by === 'day') return ({ part }) => dayText(part.day)
  const tag = by === 'team' ? by : by.slice('tag.'.length)
  const tagsOf = tagReader(deps)
  return async ({ specHash }) => {
    const tags = await tagsOf(specHash)
    return Object.hasOwn(tags, tag) ? (tags[tag] ?? null) : null
  }
}

type Tags = Readonly<Record<string, string>>

/** The tags of a version of a spec, read once; a version that is gone has none. */
function tagReader({ store, tenantNo }: EngineDeps): (specHash: string) => Promise<Tags> {
  const known = new Map<string, Tags>()
  return async (specHash) => {
    const tags = known.get(specHash)
    if (tags !== undefined) return tags
    const canonical = await store.specs.get(tenantNo, specHash)
    const read: Tags = canonical === null ? {} : specFromCanonical(canonical).tags
    known.set(specHash, read)
    return read
  }
}

function byKey(a: CostLine, b: CostLine): number {
  return (a.key ?? '') < (b.key ?? '') ? -1 : 1
}

function dearestFirst(a: CostLine, b: CostLine): number {
  return b.costNano - a.costNano || b.attempts - a.attempts || byKey(a, b)
}
