import type { Command } from 'commander'
import { batchFields } from '../../engine/job-json.ts'
import type { OpenBatch } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { batchName, doneText, standingOf } from '../batch-view.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age } from '../figures.ts'
import { nothingToDo } from '../job-choice.ts'
import { type Column, tableLines } from '../table.ts'
import { clip, printable } from '../terminal-text.ts'

const COLUMNS: readonly Column[] = [
  { title: 'BATCH' },
  { title: 'STATE' },
  { title: 'REQUESTS', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'JOB', flexible: true },
]

/** `sluice batches`: what is out at the providers. */
export function addBatchesCommand(program: Command, launch: Launch): void {
  program
    .command('batches')
    .description('list the batches that are out, oldest first')
    .argument('[job]', 'default: those of all jobs')
    .action((job: string | undefined) => launch((context) => batches(context, job)))
}

async function batches(context: CommandContext, job: string | undefined): Promise<ExitCode> {
  const { output, events, deps } = context
  const engine = await context.engine()
  const open = await engine.batches(job)
  for (const batch of open) events.line({ type: 'batch', ...batchFields(batch) })
  if (job !== undefined) events.summary(await engine.status(job))
  if (open.length === 0) return nothingToDo(context, 'No batch is out.')
  if (output.mode === 'human') {
    const rows = open.map((batch) => cells(batch, deps.runtime.now()))
    const [head = '', ...lines] = tableLines(COLUMNS, rows, output.width(), output.style)
    const told = lines.flatMap((line, index) => [line, ...remarks(context, open[index] as OpenBatch)])
    await output.data(`${[head, ...told].join('\n')}\n`)
  }
  return 0
}

function cells(batch: OpenBatch, nowMs: number): string[] {
  const sinceMs = batch.submittedAtMs ?? batch.intentAtMs ?? batch.plannedAtMs
  return [batchName(batch), standingOf(batch), doneText(batch), age(nowMs - sinceMs), batch.jobs.join(' ')]
}

/** What there is to know of a batch, and where a person can help. */
function remarks({ output, commandLine }: CommandContext, { id, state, note }: OpenBatch): string[] {
  const lines = note === null ? [] : [`  ${clip(printable(note), output.width() - 2)}`]
  if (state === 'unclear') lines.push(`  ${commandLine(`settle ${id} --is <batch>`)}   (or --not-sent)`)
  return lines
}
