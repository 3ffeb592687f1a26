import type { Command } from 'commander'
import type { Cause } from '../../domain/failure.ts'
import type { StoredOutcome } from '../../domain/stored.ts'
import { failedFields } from '../../engine/look-json.ts'
import type { ExitCode } from '../../errors.ts'
import { cause } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { count, counted } from '../figures.ts'
import { namedOrNewest, nothingToDo } from '../job-choice.ts'
import { type Column, tableLines } from '../table.ts'
import { clip, printable } from '../terminal-text.ts'

const COLUMNS: readonly Column[] = [
  { title: 'CAUSE' },
  { title: 'ROWS', align: 'right' },
  { title: 'RETRY?' },
  { title: 'EXAMPLE', flexible: true },
]

/** `sluice failed`: dead letters by cause. */
export function addFailedCommand(program: Command, launch: Launch): void {
  program
    .command('failed')
    .description('rows that gave up, by cause, and what to do')
    .argument('[job]', 'default: the newest')
    .option('--cause <cause>', 'only this cause, with more examples', cause)
    .action((job: string | undefined, flags: { cause?: Cause }) =>
      launch((context) => failed(context, job, flags.cause)),
    )
}

async function failed(context: CommandContext, named: string | undefined, only: Cause | undefined): Promise<ExitCode> {
  const { output, events } = context
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  const groups = await engine.failed(id, only)
  for (const group of groups) events.line({ type: 'dead_letters', ...failedFields(group) })
  if (output.mode !== 'human' && groups.length > 0) {
    for await (const line of engine.deadLetters(id, only)) await events.text(line)
  }
  if (groups.length === 0) nothingToDo(context, only === undefined ? 'No row failed.' : `No row failed as ${only}.`)
  events.summary(await engine.status(id))
  if (groups.length === 0 || output.mode !== 'human') return 0
  const rows = groups.map((group) => [
    group.cause,
    count(group.rows),
    group.retryable ? 'yes' : 'no',
    exampleText(group.examples[0]),
  ])
  const lines = tableLines(COLUMNS, rows, output.width(), output.style)
  for (const group of groups) {
    lines.push('', `${output.style.bold(group.cause)}: ${group.meaning}`, `  ${group.advice}`)
    if (only !== undefined) lines.push(...group.examples.flatMap((example) => detailLines(example, output.width())))
  }
  lines.push('', `All of them:  ${context.commandLine(`results ${id} --only failed`)}`)
  lines.push(`Again:        ${context.commandLine(`retry ${id}${only === undefined ? '' : ` --cause ${only}`}`)}`)
  await output.data(`${lines.join('\n')}\n`)
  return 0
}

function exampleText(outcome: StoredOutcome | undefined): string {
  return outcome === undefined ? '' : `${outcome.rowId}: ${outcome.message ?? ''}`
}

/** One dead letter: why, in full, and of the last reply as much as goes into four lines. */
function detailLines(outcome: StoredOutcome, width: number): string[] {
  const id = printable(outcome.rowId)
  const lines = ['', `${id}   ${counted(outcome.attempts, 'attempt')}   ${printable(outcome.message ?? '')}`.trimEnd()]
  if (outcome.reply !== null) lines.push(`  reply: ${clip(printable(outcome.reply), width * 4)}`)
  return lines
}
