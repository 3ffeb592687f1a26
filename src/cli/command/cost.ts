import { type Command, InvalidArgumentError, Option } from 'commander'
import { costFigures } from '../../engine/look-json.ts'
import type { CostKey, CostLine, CostReport } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { durationMs } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { cost as costText, count } from '../figures.ts'
import { type Column, tableLines } from '../table.ts'

interface CostFlags {
  readonly by: CostKey
  readonly since?: Since
}

/** A day, or a span of time up to now. */
type Since = { readonly day: string } | { readonly agoMs: number }

/** `sluice cost`: the ledger of all jobs, rolled up. */
export function addCostCommand(program: Command, launch: Launch): void {
  program
    .command('cost')
    .description('what all jobs have cost, rolled up')
    .addOption(
      new Option('--by <what>', 'team, spec, model, day, or tag.NAME').default('spec').argParser<CostKey>(costKey),
    )
    .option('--since <when>', 'from this UTC day on: 2026-11-22, or 30d ago', since)
    .action((flags: CostFlags) => launch((context) => cost(context, flags)))
}

function costKey(text: string): CostKey {
  if (/^(?:team|spec|model|day|tag\..+)$/s.test(text)) return text as CostKey
  throw new InvalidArgumentError('Expected team, spec, model, day, or tag.NAME.')
}

function since(text: string): Since {
  if (!/^\d{4}-/.test(text)) return { agoMs: durationMs(text) }
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('Expected a day like 2026-11-22, or a time like 30d.')
  return { day: text }
}

async function cost(context: CommandContext, flags: CostFlags): Promise<ExitCode> {
  const engine = await context.engine()
  const report = await engine.costs({ by: flags.by, since: dayOf(context, flags.since) })
  const { output, events } = context
  for (const line of report.lines) events.line({ type: 'cost', by: report.by, key: line.key, ...costFigures(line) })
  events.line({ type: 'cost_total', by: report.by, since: report.since, ...costFigures(report.total) })
  if (output.mode === 'human') {
    const lines = tableLines(columns(report), rows(report), output.width(), output.style)
    await output.data(`${lines.join('\n')}\n`)
    if (report.total.unpriced > 0) {
      context.note(
        `The price of ${count(report.total.unpriced)} attempts is not known: costs are lower bounds. Set model.price.`,
      )
    }
  }
  return 0
}

function dayOf({ deps }: CommandContext, from: Since | undefined): string | null {
  if (from === undefined) return null
  return 'day' in from ? from.day : new Date(deps.runtime.now() - from.agoMs).toISOString().slice(0, 10)
}

function columns({ by }: CostReport): readonly Column[] {
  const title = by.startsWith('tag.') ? by.slice('tag.'.length) : by
  return [
    { title: title.toUpperCase(), flexible: true },
    { title: 'ATTEMPTS', align: 'right' },
    { title: 'TOKENS IN', align: 'right' },
    { title: 'CACHED', align: 'right' },
    { title: 'OUT', align: 'right' },
    { title: 'COST', align: 'right' },
    { title: 'NO ANSWER', align: 'right' },
  ]
}

function rows({ lines, total }: CostReport): readonly (readonly string[])[] {
  return [...lines.map((line) => cells(line.key ?? '(none)', line)), cells('total', total)]
}

function cells(name: string, line: CostLine): readonly string[] {
  return [
    name,
    count(line.attempts),
    count(line.inputTokens),
    count(line.cachedTokens),
    count(line.outputTokens),
    costText(line),
    line.failedCostNano === 0 ? '' : costText({ costNano: line.failedCostNano, unpriced: 0 }),
  ]
}
