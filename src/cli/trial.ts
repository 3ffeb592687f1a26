import { formatUsd, NANO_PER_USD } from '../domain/money.ts'
import type { PromptView } from '../engine.ts'
import { count } from './figures.ts'
import type { Style } from './style.ts'
import { clip, pad, printable, printableLines, widthOf } from './terminal-text.ts'

/** One row of a trial, taken apart from its result line. */
export interface TriedRow {
  readonly row_id: string
  readonly status: string
  readonly cause: string | null
  readonly message: string | null
  readonly input: Readonly<Record<string, unknown>>
  readonly output: Readonly<Record<string, unknown>>
  readonly lane: string | null
  readonly tokens: { readonly input: number; readonly output: number }
  readonly cost_usd: number | null
  readonly latency_ms: number | null
}

const NARROW = 60
const GAP = '   '
const MOST_NAME_COLUMNS = 16

/** A result line as an object. Integers that a double cannot hold come as text, so that none is shown wrong. */
export function parseResultLine(line: string): Readonly<Record<string, unknown>> {
  const exact = (_key: string, value: unknown, { source }: { readonly source?: string }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? source : value
  return JSON.parse(line, exact as (key: string, value: unknown) => unknown)
}

/** Parts a result line (contract §4) into input, output and what was measured. */
export function triedRow(line: Readonly<Record<string, unknown>>, columns: readonly string[]): TriedRow {
  const input = new Set(columns)
  const pick = (wanted: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(line).filter(([name]) => wanted(name)))
  return {
    row_id: String(line._row_id),
    status: String(line._status),
    cause: textOrNull(line._error),
    message: textOrNull(line._error_message),
    input: pick((name) => input.has(name)),
    output: pick((name) => !input.has(name) && !name.startsWith('_')),
    lane: textOrNull(line._lane),
    tokens: { input: Number(line._input_tokens ?? 0), output: Number(line._output_tokens ?? 0) },
    cost_usd: numberOrNull(line._cost_usd),
    latency_ms: numberOrNull(line._latency_ms),
  }
}

/** A row for a terminal: a head with its figures, below it input and output side by side (one under the other where it is narrow). */
export function resultBlock(row: TriedRow, width: number, style: Style): string[] {
  const tone = row.status === 'ok' ? style.green : style.red
  const id = clip(printable(row.row_id), Math.max(8, width - 50))
  const figures = [
    `${count(row.tokens.input)} in / ${count(row.tokens.output)} out`,
    formatUsd(row.cost_usd === null ? null : Math.round(row.cost_usd * NANO_PER_USD)),
  ]
  if (row.lane === 'cache') figures.push('reused')
  const head = `${style.bold(id)}   ${tone(row.status)}   ${style.dim(figures.join('   '))}`
  const answer = row.status === 'ok' ? fieldLines(row.output) : [row.cause ?? row.status]
  const body = sideBySide(fieldLines(row.input), answer, width - 2).map((line) => `  ${line}`)
  // The one line that is not cut: why a row failed is what its reader came for.
  const why = row.message === null ? [] : [`  ${printable(row.message)}`]
  return [head, ...body, ...why]
}

/** What is sent for a row, for a terminal. */
export function promptBlock(prompt: PromptView, style: Style): string[] {
  const lines = [style.bold(`prompt of ${printable(prompt.rowId)}`)]
  const part = (role: string, text: string) =>
    lines.push(`  ${style.dim(role)}`, ...printableLines(text).map((each) => `    ${each}`))
  if (prompt.error !== null) lines.push(`  ${style.red('error')} ${printable(prompt.error)}`)
  if (prompt.system !== null) part('system', prompt.system)
  for (const message of prompt.messages) part(message.role, message.text)
  return lines
}

function sideBySide(left: readonly string[], right: readonly string[], width: number): string[] {
  if (width < NARROW) return [...left, ...right.map((line) => `=> ${line}`)].map((line) => clip(line, width))
  const half = Math.floor((width - GAP.length) / 2)
  const leftWidth = Math.min(half, Math.max(...left.map(widthOf), 0))
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const leftCell = pad(clip(left[index] ?? '', leftWidth), leftWidth)
    return `${leftCell}${GAP}${clip(right[index] ?? '', width - leftWidth - GAP.length)}`.trimEnd()
  })
}

function fieldLines(fields: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(fields).map(([name, value]) => [printable(name), valueText(value)] as const)
  const nameWidth = Math.min(MOST_NAME_COLUMNS, Math.max(0, ...entries.map(([name]) => widthOf(name))))
  return entries.map(([name, value]) => `${pad(clip(name, nameWidth), nameWidth)}  ${value}`)
}

function valueText(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
