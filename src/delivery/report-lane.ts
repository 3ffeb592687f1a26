import { plain, table } from './markdown.ts'
import { saved } from './report-cost.ts'
import type { ReportData } from './report-data.ts'
import { count } from './report-figures.ts'
import { changeText, deadlineText, routeText, WAY_TITLES, wayCells } from './route-text.ts'
import { costText } from './verdict.ts'

/** The way that was chosen and why, what it was compared with, its changes, the deadline, and what each way has cost. Empty where nothing was chosen and there is no deadline. */
export function laneSection(data: ReportData): string {
  const { route, deadline } = data.lane
  if (route === null && deadline === null) return ''
  const hasDeadline = deadline !== null
  const lines = [
    ...(route?.changes ?? []).map((change) => `- ${plain(changeText(change))}`),
    ...(deadline === null ? [] : [`- deadline ${deadlineText(deadline)}`]),
  ]
  const compared = route === null || route.ways.length < 2 ? [] : route.ways.map((way) => wayCells(way, hasDeadline))
  const parts = [
    '## Lane',
    chosen(data),
    lines.join('\n'),
    compared.length === 0 ? '' : `Compared before it began, as if all rows went so:\n\n${table(WAY_TITLES, compared)}`,
    used(data),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function chosen({ lane: { route }, spec }: ReportData): string {
  if (route !== null) return `${routeText({ ...route, changes: [] })} (${plain(route.why)}).`
  return spec.lane === 'auto' ? 'auto: nothing was chosen yet.' : `${spec.lane}.`
}

function used({ ledger }: ReportData): string {
  if (ledger.byWay.every(({ way }) => way === 'live')) return ''
  const cells = ledger.byWay.map(({ way, attempts, costNano, unpriced, savedNano }) => [
    way,
    count(attempts),
    costText(costNano, unpriced),
    way === 'live' ? '' : saved(savedNano),
  ])
  return table(['asked by', 'attempts', 'cost', 'saved against live'], cells, [1, 2, 3])
}
