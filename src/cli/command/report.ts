import { type Command, Option } from 'commander'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { namedOrNewest } from '../job-choice.ts'
import { notYetSupported } from './not-yet-supported.ts'

type ReportFormat = 'md' | 'html' | 'json'

/** `sluice report`: the completion report, on stdout. */
export function addReportCommand(program: Command, launch: Launch): void {
  program
    .command('report')
    .description('the completion report: verdict, causes, cost')
    .argument('[job]', 'default: the newest')
    .addOption(
      new Option('--format <format>', 'default: md, or json with --json; html is not yet supported').choices([
        'md',
        'html',
        'json',
      ]),
    )
    .action((job: string | undefined, flags: { format?: ReportFormat }) =>
      launch((context) => report(context, job, flags.format), { stdout: 'data' }),
    )
}

async function report(
  context: CommandContext,
  named: string | undefined,
  asked: ReportFormat | undefined,
): Promise<ExitCode> {
  const format = asked ?? (context.json ? 'json' : 'md')
  if (format === 'html') throw notYetSupported('--format html', 'Use md or json.')
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  const text = await engine.report(id, format)
  await context.output.data(text.endsWith('\n') ? text : `${text}\n`)
  return 0
}
