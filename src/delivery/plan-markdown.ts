import { formatUsd } from '../domain/money.ts'
import type { Plan, PlannedRoute } from '../domain/plan.ts'
import { code, plain, table } from './markdown.ts'
import {
  basisText,
  costRange,
  countRange,
  limitText,
  reasonLines,
  rowParts,
  timeBasis,
  timeRange,
} from './plan-figures.ts'
import { count, span } from './report-figures.ts'
import { WAY_TITLES, wayCells } from './route-text.ts'

/** A plan as a comment for a review: a small table with ranges and what they rest on, then what differs from before. */
export function planMarkdown(plan: Plan): string {
  const { spec, rows, use, time, route } = plan
  const lines = [
    ['cost', costRange(use.costNano), use.basis.kind === 'nothing' ? '' : basisText(use.basis)],
    ['time', timeRange(plan), timeBasis(time)],
    ['input tokens', countRange(use.inputTokens), ''],
    ['output tokens', countRange(use.outputTokens), ''],
    ['rows', count(rows.total), rowParts(rows).join(', ')],
    ...(use.worstCostNano === null || rows.toRun === 0
      ? []
      : [['worst case', formatUsd(use.worstCostNano), 'every request at its bound, none repeated']]),
    ...plan.budget.map((limit) => [...limitText(limit), limit.fit]),
  ]
  const sections = [
    `### Plan of ${plain(spec.name)}: ${use.costNano === null ? 'cost unknown' : costRange(use.costNano)}`,
    table(['', 'expected', 'basis'], lines),
    ...(route === null ? [] : [table(WAY_TITLES, waysOf(route)), chosenOf(route)]),
    explained(plan),
    plan.notes.map(plain).join('\n\n'),
    madeWith(plan),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function waysOf({ ways, deadlineMs }: PlannedRoute): readonly (readonly string[])[] {
  return ways.map((way) => wayCells(way, deadlineMs !== null).map(plain))
}

function chosenOf({ way, why, deadlineMs }: PlannedRoute): string {
  const deadline = deadlineMs === null ? '' : ` Deadline: ${span(deadlineMs)} from the start.`
  return `Chosen: auto, ${way} (${plain(why)}).${deadline}`
}

function explained({ explanation }: Plan): string {
  if (explanation === null) return ''
  const [head, ...reasons] = reasonLines(explanation)
  return [`Paid for: ${plain(head ?? '')}`, '', ...reasons.map((line) => `- ${plain(line)}`)].join('\n').trimEnd()
}

function madeWith({ id, spec, binding, priceSource }: Plan): string {
  const short = (text: string) => code(text.slice(0, 12))
  const models = [spec.model, ...spec.fallbacks].map(code).join(', then ')
  const prices = priceSource === null ? '' : `, prices ${plain(priceSource)}`
  return `${models}, ${spec.lane}. Spec ${short(binding.specHash)}, input ${short(binding.inputHash)}${prices}. ${code(id)}`
}
