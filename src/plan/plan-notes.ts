import { formatUsd } from '../domain/money.ts'
import type { PlannedRows, PlannedUse } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'

/** Providers whose price lists have batches at half of the live price, as of 2026-11 (docs/plan.md has the sources). */
const HALF_PRICE_BATCHES: ReadonlySet<string> = new Set(['openai', 'anthropic', 'google'])

/** What the reader of a plan should know beside its figures. */
export function planNotes(spec: Spec, rows: PlannedRows, use: PlannedUse): readonly string[] {
  const provider = spec.model.target.id.split('/', 1)[0] ?? ''
  const { basis, costNano } = use
  const notes: string[] = []
  if (provider === 'simulator') notes.push('The simulator answers: no model is asked, and nothing is paid.')
  if (!rows.exact) {
    notes.push(
      'There are too many different requests to tell all apart: rows to run, to reuse and repeated are the share of a sample.',
    )
  }
  if (basis.kind === 'length') {
    notes.push(
      'Nothing was asked yet: the range is wide, from the length of the requests and max_output_tokens. --sample 50 narrows it.',
    )
  }
  if (basis.kind === 'history' && basis.version === 'other') {
    notes.push('The range rests on another prompt of this spec, and is widened for that. --sample 50 narrows it.')
  }
  if (basis.kind === 'pilot' && spec.execution.cache !== 'spec' && spec.execution.cache !== 'tenant') {
    notes.push("The run pays for the pilot's rows again: execution.cache keeps no answers from job to job.")
  }
  if (spec.execution.lane === 'batch') {
    notes.push(
      'By batch: costs are at its price, and how long it takes the provider says, mostly hours, a day at the most.',
    )
  } else if (HALF_PRICE_BATCHES.has(provider) && costNano !== null && costNano.high > 0) {
    const half = `${formatUsd(Math.round(costNano.low / 2))} to ${formatUsd(Math.round(costNano.high / 2))}`
    notes.push(`As a batch it would cost about half, ${half}, by the provider's price list; this asks live.`)
  }
  return notes
}
