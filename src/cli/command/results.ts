import { type Command, Option } from 'commander'
import type { JobId } from '../../domain/job.ts'
import type { Engine } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { count } from '../figures.ts'
import { signalExitCode } from '../interruption.ts'
import { namedOrNewest } from '../job-choice.ts'
import { RESULT_FORMATS, type ResultFormat, resultsTarget, sayWritten, writeResults } from '../results-target.ts'

interface ResultsFlags {
  readonly output?: string
  readonly format?: ResultFormat
  readonly only?: 'ok' | 'failed'
  readonly follow?: boolean
  readonly safeCsv?: boolean
}

/** `sluice results`: the result table, also while the job runs. */
export function addResultsCommand(program: Command, launch: Launch): void {
  program
    .command('results')
    .description('the result table, also while the job runs')
    .argument('[job]', 'default: the newest')
    .option('-o, --output <file>', 'write it here; .csv, .jsonl or .parquet')
    .addOption(
      new Option('--format <format>', "default: by the file's extension; csv on stdout").choices(RESULT_FORMATS),
    )
    .addOption(new Option('--only <which>', 'only these rows').choices(['ok', 'failed']))
    .option('--follow', 'rows as JSON lines as chunks finish, until the job stands still')
    .option('--safe-csv', 'disarm cells that a spreadsheet would run as a formula')
    .action((job: string | undefined, flags: ResultsFlags) =>
      launch((context) => results(context, job, flags), { stdout: 'data', endsInOrder: true }),
    )
}

async function results(context: CommandContext, named: string | undefined, flags: ResultsFlags): Promise<ExitCode> {
  refuseContradictions(flags)
  const target = flags.output === undefined ? null : resultsTarget(context.config.cwd, flags.output, flags)
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  if (flags.follow) return follow(context, engine, id, flags)
  if (target !== null) {
    sayWritten(context, target, await writeResults(engine, id, target, context.interruption.stop))
    return 0
  }
  return print(context, engine, id, flags)
}

function refuseContradictions(flags: ResultsFlags): void {
  const usage = (message: string, hint: string) => new SluiceError('usage', message, { hint })
  if (flags.follow && flags.output !== undefined)
    throw usage('--follow writes to stdout.', 'Leave out -o, and redirect stdout: `> rows.jsonl`.')
  if (flags.follow && flags.format !== undefined && flags.format !== 'jsonl')
    throw usage(`--follow gives JSON lines, not ${flags.format}.`, 'Leave out --format.')
  if (flags.format === 'parquet' && flags.output === undefined)
    throw usage('Parquet is written to a file.', 'Name it: `-o results.parquet`.')
}

/** To stdout: rows alone, no version line and no summary. */
async function print(context: CommandContext, engine: Engine, id: JobId, flags: ResultsFlags): Promise<ExitCode> {
  const { pending } = await engine.results(id, {
    to: { kind: 'stream', write: context.output.data },
    format: flags.format ?? (context.json ? 'jsonl' : 'csv'),
    ...(flags.only && { only: flags.only }),
    ...(flags.safeCsv && { safeCsv: true }),
    signal: context.interruption.stop,
  })
  if (pending > 0) context.output.say(`${count(pending)} rows are still pending.`)
  return 0
}

async function follow(context: CommandContext, engine: Engine, id: JobId, flags: ResultsFlags): Promise<ExitCode> {
  const batches = engine.follow(id, {
    after: null,
    ...(flags.only && { only: flags.only }),
    signal: context.interruption.stop,
  })
  for await (const batch of batches) await context.output.data(batch.text)
  const signal = context.interruption.received()
  return signal === null ? 0 : signalExitCode(signal)
}
