import { formatUsd } from '../domain/money.ts'
import type { Plan, PlannedTime } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'

/** Providers whose price lists have batches at half of the live price, as of 2026-11 (docs/plan.md has the sources). */
const HALF_PRICE_BATCHES: ReadonlySet<string> = new Set(['openai', 'anthropic', 'google'])

const SLOW_BATCHES =
  'By batch: costs are at its price, and how long it takes the provider says, mostly hours, a day at the most.'
const ASKED_AGAIN =
  'By batch: costs are at its price, and the time is that of one batch; rows that are asked again by batch take another one.'

/** What the reader of a plan should know beside its figures. */
export function planNotes(spec: Spec, { rows, use, time }: Pick<Plan, 'rows' | 'use' | 'time'>): readonly string[] {
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
  notes.push(...lateNotes(spec, time))
  if (spec.execution.lane === 'batch') {
    notes.push(time === null ? SLOW_BATCHES : ASKED_AGAIN)
  } else if (
    spec.execution.lane === 'live' &&
    HALF_PRICE_BATCHES.has(provider) &&
    costNano !== null &&
    costNano.high > 0
  ) {
    const half = `${formatUsd(Math.round(costNano.low / 2))} to ${formatUsd(Math.round(costNano.high / 2))}`
    notes.push(`As a batch it would cost about half, ${half}, by the provider's price list; this asks live.`)
  }
  return notes
}

/** Where only `auto` would see to it. */
function lateNotes({ execution: { lane, deadlineMs } }: Spec, time: PlannedTime | null): readonly string[] {
  if (lane === 'auto' || deadlineMs === undefined || time === null || time.ms.high <= deadlineMs) return []
  const late = time.ms.low > deadlineMs ? 'It takes longer than execution.deadline' : 'It may miss execution.deadline'
  return [`${late}: the lane ${lane} does nothing about that, auto would.`]
}
