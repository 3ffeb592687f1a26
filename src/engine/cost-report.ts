import type { LedgerSums } from '../domain/ledger.ts'
import type { NanoUsd } from '../domain/money.ts'

/** What a roll-up tells apart; `team` is the tag of that name. */
export type CostKey = 'team' | 'spec' | 'model' | 'day' | `tag.${string}`

export interface CostRequest {
  readonly by: CostKey
  /** Only attempts that began on this day, `2026-11-22` in UTC, or later; `null`: all. */
  readonly since: string | null
}

/** The ledger of all jobs of the tenant, rolled up: `total` is the sum of `lines`, field by field, to the nano-dollar. */
export interface CostReport extends CostRequest {
  /** By day in order, else dearest first. */
  readonly lines: readonly CostLine[]
  readonly total: CostLine
}

export interface CostLine extends LedgerSums {
  /** `null`: the attempts whose spec has no such tag; and the total. */
  readonly key: string | null
  /** Sent and not answered yet; they count in nothing else. */
  readonly open: number
  /** Of the cost: of attempts that brought no accepted answer, lost and orphaned ones among them. */
  readonly failedCostNano: NanoUsd
  /** At their worst case. */
  readonly lostCostNano: NanoUsd
  readonly orphanedCostNano: NanoUsd
}
