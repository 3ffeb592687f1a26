import {
  basisText,
  costRange,
  countRange,
  limitText,
  reasonLines,
  rowParts,
  timeBasis,
  timeRange,
} from '../delivery/plan-figures.ts'
import { span } from '../delivery/report-figures.ts'
import { WAY_TITLES, wayCells } from '../delivery/route-text.ts'
import { formatUsd } from '../domain/money.ts'
import type { Plan, PlannedRoute } from '../domain/plan.ts'
import { count } from './figures.ts'
import type { Style } from './style.ts'
import { printable } from './terminal-text.ts'

const LABEL_WIDTH = 10

/** A plan for a terminal: rows, tokens, cost and time as ranges, each with what it rests on. */
export function planLines(plan: Plan, style: Style): readonly string[] {
  const { spec, binding, rows, use, time, route } = plan
  const line = (label: string, text: string) => `${style.dim(label.padEnd(LABEL_WIDTH))}${text}`
  const prices = plan.priceSource === null ? '' : `   prices ${plan.priceSource}`
  const around = time === null ? '' : `   ${style.dim(`(${timeBasis(time)})`)}`
  const worst = use.worstCostNano === null || rows.toRun === 0 ? '' : `   worst case ${formatUsd(use.worstCostNano)}`
  return [
    style.bold(`Plan of ${printable(spec.name)}, ${printable(spec.model)}`),
    line('made of', `spec ${short(binding.specHash)}   input ${short(binding.inputHash)}${prices}`),
    line('rows', [count(rows.total), ...rowParts(rows)].join('   ')),
    line('tokens', `in ${countRange(use.inputTokens)}   out ${countRange(use.outputTokens)}`),
    line('cost', `${style.bold(costRange(use.costNano))}${worst}`),
    line('time', `${timeRange(plan)}${around}`),
    line('basis', basisText(use.basis)),
    ...(route === null ? [] : routeLines(route).map(([label, text]) => line(label, text))),
    ...plan.budget.map((limit) => line('budget', `${limitText(limit).join(' ')}: ${limit.fit}`)),
    ...(plan.explanation === null
      ? []
      : reasonLines(plan.explanation).map((text, at) => line(at === 0 ? 'paid for' : '', text))),
    ...plan.notes.map((note) => line('note', note)),
  ]
}

/** The ways that were compared, a line each, and which of them it is. */
function routeLines({ way, why, deadlineMs, ways }: PlannedRoute): readonly (readonly [string, string])[] {
  const cells = ways.map((each) => {
    const [way = '', cost = '', time = '', basis = '', share = ''] = wayCells(each, deadlineMs !== null)
    return [way, cost, time, printable(basis), share === '' ? '' : `${share} in time`]
  })
  const widths = WAY_TITLES.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)))
  const compared = cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('   ')
      .trimEnd(),
  )
  return [
    ...compared.map((text, at) => [at === 0 ? 'lanes' : '', text] as const),
    ['chosen', `auto -> ${way} (${printable(why)})`],
    ...(deadlineMs === null ? [] : [['deadline', `${span(deadlineMs)} from the start`] as const]),
  ]
}

function short(hash: string): string {
  return hash.slice(0, 12)
}
