import { type Command, Option } from 'commander'
import type { Cause } from '../../domain/failure.ts'
import type { RetryRequest } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { cause, several, wholeNumber } from '../arguments.ts'
import { conclude } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { counted } from '../figures.ts'
import { namedOrNewest } from '../job-choice.ts'
import { continueJob } from '../work.ts'

interface RetryFlags {
  readonly cause?: readonly Cause[]
  readonly chunk?: readonly number[]
  readonly row?: readonly string[]
  readonly model?: string
  readonly spec: 'pinned' | 'current'
}

/** `sluice retry`: failed rows again, in a new round, in this process. */
export function addRetryCommand(program: Command, launch: Launch): void {
  program
    .command('retry')
    .description('run failed rows again, as a new round')
    .argument('[job]', 'default: the newest')
    .option('--cause <cause>', 'only rows that failed like this; may be given several times', several(cause))
    .option('--chunk <n>', 'only rows of this chunk; may be given several times', several(wholeNumber))
    .option('--row <key>', 'only this row; may be given several times', several(String))
    .option('--model <model>', 'ask this model instead')
    .addOption(
      new Option('--spec <which>', 'the spec that the job ran with, or the file as it is now')
        .choices(['pinned', 'current'])
        .default('pinned'),
    )
    .action((job: string | undefined, flags: RetryFlags) =>
      launch((context) => retry(context, job, flags), { endsInOrder: true }),
    )
}

async function retry(context: CommandContext, named: string | undefined, flags: RetryFlags): Promise<ExitCode> {
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  const { job, rows } = await engine.retry(id, retryRequest(flags))
  if (rows === 0) {
    context.note('Nothing to retry: no failed row matches.')
    context.events.summary(await engine.status(id))
    return 0
  }
  context.note(`Retrying ${counted(rows, 'row')} of ${id} (round ${job.round}).`)
  return conclude(context, engine, await continueJob(context, engine, id))
}

function retryRequest(flags: RetryFlags): RetryRequest {
  return {
    spec: flags.spec,
    ...(flags.cause && { causes: flags.cause }),
    ...(flags.chunk && { chunks: flags.chunk }),
    ...(flags.row && { rows: flags.row }),
    ...(flags.model !== undefined && { model: flags.model }),
  }
}
