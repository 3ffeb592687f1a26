import type { Command } from 'commander'
import { isTerminal, type Job } from '../../domain/job.ts'
import type { Engine, RowPick } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { positiveInteger, several } from '../arguments.ts'
import { outcomeLine, standingLines } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { workExitCode } from '../exit-code.ts'
import { addSpecFlags, type SpecFlags, specOverrides } from '../spec-flags.ts'
import { submit } from '../submission.ts'
import { parseResultLine, promptBlock, resultBlock, type TriedRow, triedRow } from '../trial.ts'
import { continueJob } from '../work.ts'

interface TryFlags extends SpecFlags {
  readonly rows?: number
  readonly sample?: boolean
  readonly row?: readonly string[]
  readonly showPrompt?: boolean
}

const DEFAULT_ROWS = 3

/** `sluice try`: a few rows, with input, output and cost side by side. */
export function addTryCommand(program: Command, launch: Launch): void {
  addSpecFlags(
    program
      .command('try')
      .description('run a few rows; their answers are kept and reused')
      .argument('<spec>', 'spec file (YAML, JSON or TypeScript)'),
  )
    .option('-n, --rows <n>', `how many (default: ${DEFAULT_ROWS})`, positiveInteger)
    .option('--sample', 'at random instead of the first')
    .option('--row <key>', 'this row; may be given several times', several(String))
    .option('--show-prompt', 'show what is sent, too')
    .action((spec: string, flags: TryFlags) => launch((context) => trial(context, spec, flags), { endsInOrder: true }))
}

async function trial(context: CommandContext, specPath: string, flags: TryFlags): Promise<ExitCode> {
  const overrides = specOverrides(flags)
  const selection = pickRows(flags, context.deps.runtime.random())
  const engine = await context.engine()
  const { job } = await submit(context, engine, { specPath, overrides, selection })
  const status = isTerminal(job.state) ? await engine.status(job.id) : await continueJob(context, engine, job.id)
  const signal = context.interruption.received()
  if (flags.showPrompt) await showPrompts(context, engine, status.job)
  const rows = await triedRows(engine, status.job)
  await showRows(
    context,
    rows.filter((row) => row.status !== 'pending'),
  )
  const { output } = context
  if (!isTerminal(status.job.state)) output.say(standingLines(context, status, signal !== null).join('\n'))
  else output.say(outcomeLine(status))
  if (status.counters.succeeded > 0) output.say('Results kept: these rows will not be paid for again.')
  if (status.model.startsWith('simulator/')) output.say('The answers are simulated: no model was asked.')
  context.events.summary(status)
  return workExitCode(status, signal)
}

function pickRows(flags: TryFlags, random: number): RowPick {
  if (flags.row !== undefined) {
    if (flags.sample || flags.rows !== undefined)
      throw new SluiceError('usage', '--row names the rows: -n and --sample do not go with it.')
    return { kind: 'keys', keys: flags.row }
  }
  const n = flags.rows ?? DEFAULT_ROWS
  return flags.sample ? { kind: 'sample', n, seed: Math.floor(random * 2 ** 31) } : { kind: 'first', n }
}

/** The rows of a trial, which are few: read whole. */
async function triedRows(engine: Engine, job: Job): Promise<readonly TriedRow[]> {
  let text = ''
  await engine.results(job.id, {
    to: {
      kind: 'stream',
      write: async (part) => {
        text += part
      },
    },
    format: 'jsonl',
  })
  const columns = job.input?.columns ?? []
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => triedRow(parseResultLine(line), columns))
}

async function showRows(context: CommandContext, rows: readonly TriedRow[]): Promise<void> {
  const { output, events } = context
  for (const row of rows) {
    events.line({ type: 'row', ...row })
    if (output.mode === 'human') await output.data(`${resultBlock(row, output.width(), output.style).join('\n')}\n\n`)
  }
}

async function showPrompts(context: CommandContext, engine: Engine, job: Job): Promise<void> {
  const { output, events } = context
  for (const prompt of await engine.prompts(job.id, job.rowsTotal)) {
    events.line({
      type: 'prompt',
      row_id: prompt.rowId,
      system: prompt.system,
      messages: prompt.messages,
      error: prompt.error,
    })
    if (output.mode === 'human') await output.data(`${promptBlock(prompt, output.style).join('\n')}\n\n`)
  }
}
