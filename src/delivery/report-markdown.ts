import { formatUsd } from '../domain/money.ts'
import { budgetText } from './budget-text.ts'
import { code, plain, table } from './markdown.ts'
import { costSection, savedSection } from './report-cost.ts'
import type { ReportData } from './report-data.ts'
import { bytes, count, counted, moment, percent, span, times } from './report-figures.ts'
import { laneSection } from './report-lane.ts'
import { deadlineText, routeText } from './route-text.ts'
import { verdictOf } from './verdict.ts'

/** Values of one output column that are listed; the rest is counted. */
const VALUES_LISTED = 12

/** Shares of the average cost from which a row is called out. */
const OUTLIER = 10

/** The report as Markdown that reads well as plain text too; the verdict is its first line. */
export function reportMarkdown(data: ReportData): string {
  const sections = [
    heading(data),
    gates(data),
    rows(data),
    laneSection(data),
    costSection(data),
    budgetSection(data),
    savedSection(data),
    deadLetters(data),
    dearest(data),
    outputs(data),
    input(data),
    madeBy(data),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function heading(data: ReportData): string {
  const { word, sentence } = verdictOf(data)
  const { job, spec, simulated, lane } = data
  const lines = [`# ${word}  ${sentence}`]
  if (job.detail !== null) lines.push(`${job.reason ?? job.state}: ${plain(job.detail)}`)
  lines.push(spec.description === null ? plain(spec.name) : `${plain(spec.name)}: ${plain(spec.description)}`)
  const way = lane.route === null ? spec.lane : routeText(lane.route)
  if (lane.deadline !== null) lines.push(`Lane ${way}; deadline ${deadlineText(lane.deadline)}.`)
  else if (lane.route !== null) lines.push(`Lane ${way}.`)
  if (simulated === 'all')
    lines.push(
      '**Simulated:** the simulator made up every answer. No model was asked and nothing was paid; costs are what its price list says.',
    )
  if (simulated === 'some')
    lines.push('**Simulated in part:** some of the answers were made up by the simulator; see the models below.')
  return lines.join('\n\n')
}

function gates({ gates: measured }: ReportData): string {
  if (measured.length === 0) return ''
  const lines = measured.map(
    ({ gate, passed, message }) => `- ${passed ? 'passed' : '**missed**'} ${code(gate)}: ${plain(message)}`,
  )
  return `## Gates\n\n${lines.join('\n')}`
}

function rows({ rows: n, wallMs, activeMs, ledger }: ReportData): string {
  const head = ['total', 'ok', 'failed', 'skipped', 'cancelled', 'pending', 'retried', 'reused']
  const cells = [n.total, n.succeeded, n.failed, n.skipped, n.cancelled, n.pending, n.retried, n.cached].map(count)
  const ended = n.succeeded + n.failed
  const rate = activeMs < 1000 || ended === 0 ? '' : `, ${((ended / activeMs) * 1000).toFixed(1)} rows/s`
  const open = ledger.open === 0 ? '' : ` ${counted(ledger.open, 'request')} on the way.`
  return [
    '## Rows',
    table(
      head,
      [cells],
      head.map((_, at) => at),
    ),
    `Wall clock ${span(wallMs)}, active ${span(activeMs)}${rate}.${open}`,
  ].join('\n\n')
}

function budgetSection({ budget }: ReportData): string {
  return budget === null ? '' : `## Budget\n\n${budgetText(budget)}.`
}

function deadLetters(data: ReportData): string {
  const { causes, ledger } = data
  const parts: string[] = []
  if (causes.length > 0) {
    const items = causes.map(({ cause, rows: n, meaning, advice, example }) =>
      [
        `- **${cause}**, ${counted(n, 'row')}: ${meaning}.`,
        `  - For example row ${code(example.rowId)} after ${counted(example.attempts, 'attempt')}: ${code(example.message ?? 'no message')}`,
        `  - ${advice}`,
      ].join('\n'),
    )
    parts.push('## Dead letters', items.join('\n'), table(['to', 'type'], commands(data)))
  }
  const failures = ledger.byCause.map(({ cause, attempts }) => `${cause} ${count(attempts)}`)
  if (failures.length > 0)
    parts.push(`Failed attempts, also of rows that succeeded in the end: ${failures.join(', ')}.`)
  return parts.join('\n\n')
}

function commands({ causes, job }: ReportData): readonly (readonly string[])[] {
  const lines = [
    ['look at them', code(`sluice failed ${job.id}`)],
    ['take their rows', code(`sluice results ${job.id} --only failed`)],
  ]
  const mendable = causes.some(({ cause }) => cause !== 'input_unreadable')
  return mendable ? [...lines, ['try them again', code(`sluice retry ${job.id}`)]] : lines
}

function dearest({ dearest: dear, costPerRowNano, ledger, heaviest }: ReportData): string {
  const [first] = dear
  if (first === undefined) return ''
  const sum = dear.reduce((total, { costNano }) => total + costNano, 0)
  const relative = (nano: number) =>
    costPerRowNano === null || costPerRowNano === 0 ? '' : times(nano / costPerRowNano)
  const cells = dear.map((row) => [
    code(row.rowId),
    formatUsd(row.costNano),
    percent(row.costNano, Math.max(row.costNano, ledger.costNano)),
    relative(row.costNano),
    count(row.inputTokens),
    count(row.outputTokens),
    count(row.attempts),
    row.state === 'succeeded' ? 'ok' : row.state,
  ])
  const outliers =
    costPerRowNano === null ? 0 : dear.filter(({ costNano }) => costNano >= OUTLIER * costPerRowNano).length
  const called = outliers === 0 ? '' : ` ${counted(outliers, 'row')} cost ${OUTLIER} times the average or more.`
  const share = percent(sum, Math.max(sum, ledger.costNano))
  const heavy =
    heaviest === null
      ? ''
      : ` The tenth of the rows with the most tokens used ${percent(heaviest.tokens, heaviest.allTokens)} of all tokens.`
  return [
    '## Most expensive rows',
    `${counted(dear.length, 'row')} cost ${formatUsd(sum)}: ${share} of the total.${called}${heavy}`,
    table(['row', 'cost', 'share', 'vs average', 'tokens in', 'out', 'attempts', 'status'], cells, [1, 2, 3, 4, 5, 6]),
  ].join('\n\n')
}

function outputs({ outputs: profile, rows: { succeeded } }: ReportData): string {
  if (profile === null) return `## Outputs\n\nNot looked at: ${count(succeeded)} answers are too many.`
  if (profile.columns.length === 0 || succeeded === 0) return ''
  const lines = profile.columns.map(({ name, values, nulls }) => {
    const listed = values.slice(0, VALUES_LISTED).map(({ value, rows: n }) => `${plain(value)} ${count(n)}`)
    const more = values.length > VALUES_LISTED ? [`and ${values.length - VALUES_LISTED} more values`] : []
    const none = nulls > 0 ? [`null ${count(nulls)}`] : []
    return `- ${code(name)}: ${[...listed, ...more, ...none].join(', ')}`
  })
  return `## Outputs\n\n${lines.join('\n')}`
}

function input({ job }: ReportData): string {
  if (job.input === null) return ''
  const { format, files, bytes: size, columns, notes, unreadable } = job.input
  // A query has no files of its own.
  const from = files === 0 ? [] : [counted(files, 'file'), bytes(size)]
  const read = [format, ...from, counted(job.rowsTotal, 'row'), counted(columns.length, 'column')].join(', ')
  const broken =
    unreadable === 0 ? '' : ` ${counted(unreadable, 'line')} could not be read: dead letters with their line numbers.`
  const how = notes.length === 0 ? '' : `\n\n${notes.map((note) => `- ${plain(note)}`).join('\n')}`
  return `## Input\n\n${read}.${broken}${how}`
}

function madeBy({ job, spec, rounds, madeAtMs }: ReportData): string {
  const lines = [
    ['job', code(job.id)],
    ['spec', `${code(spec.name)} ${code(spec.hash)}`],
    ['model as asked', spec.models.map(code).join(', then ')],
    ['lane', spec.lane],
    ...(job.inputHash === null ? [] : [['input', code(job.inputHash)]]),
    ...Object.entries(spec.tags).map(([name, value]) => [`tag ${plain(name)}`, plain(value)]),
    ...(job.triggerRef === null ? [] : [['triggered by', code(job.triggerRef)]]),
    ['submitted', moment(job.createdAtMs)],
    ...rounds.map(({ round, specHash, atMs }) => [`round ${round}`, `${moment(atMs)}, spec ${code(specHash)}`]),
    ...(job.endedAtMs === null ? [] : [['ended', moment(job.endedAtMs)]]),
    ['reported', moment(madeAtMs)],
    ['sluice', plain(job.version)],
  ]
  return [
    '## Made by',
    table(['what', 'which'], lines),
    'Of the rows this report holds keys and error messages, and none of their contents.',
  ].join('\n\n')
}
