import type { Counters } from './job.ts'
import { formatUsd } from './money.ts'
import type { GatesSpec } from './spec.ts'

/** One gate of a spec, measured. */
export interface GateResult {
  readonly gate: 'min_success' | 'max_cost_per_row_usd'
  readonly passed: boolean
  /** For people: what was measured against what was asked. */
  readonly message: string
}

/** Measures the gates of a spec. A job without rows passes; a cost that is not known cannot pass a cost gate. */
export function measureGates(gates: GatesSpec, counters: Counters): readonly GateResult[] {
  const results: GateResult[] = []
  const judged = counters.succeeded + counters.failed
  if (gates.minSuccess !== null) {
    const share = judged === 0 ? 1 : counters.succeeded / judged
    const message = `${percent(share)} of ${judged} rows succeeded, ${percent(gates.minSuccess)} asked`
    results.push({ gate: 'min_success', passed: share >= gates.minSuccess, message })
  }
  if (gates.maxCostPerRowNano !== null) {
    const unknown = counters.unpriced > 0
    const perRow = judged === 0 ? 0 : counters.costNano / judged
    const measured = unknown ? 'cost unknown' : `${formatUsd(Math.round(perRow))} a row`
    const message = `${measured}, at most ${formatUsd(gates.maxCostPerRowNano)} asked`
    results.push({ gate: 'max_cost_per_row_usd', passed: !unknown && perRow <= gates.maxCostPerRowNano, message })
  }
  return results
}

/** Rounded down to a hundredth of a percent: 99.999 % never reads as 100 %. */
function percent(share: number): string {
  return `${Math.floor(share * 10_000 + 1e-9) / 100} %`
}
