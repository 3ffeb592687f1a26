import type { Command } from 'commander'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { counted } from '../figures.ts'

interface MigrateFlags {
  readonly rebuildQueue?: boolean
}

/** `sluice migrate`: brings the schema up to date; a step of its own before new workers start. */
export function addMigrateCommand(program: Command, launch: Launch): void {
  program
    .command('migrate')
    .description('bring the schema of store and queue up to date')
    .option('--rebuild-queue', 'make all messages anew from what the jobs still lack')
    .action((flags: MigrateFlags) => launch((context) => migrate(context, flags)))
}

async function migrate(context: CommandContext, flags: MigrateFlags): Promise<ExitCode> {
  const { what, steps } = await context.deps.migrate(context.config)
  const jobs = flags.rebuildQueue === true ? await (await context.engine()).rebuildQueue() : null
  context.output.say(
    steps === 0 ? `${what} is up to date.` : `${what} was brought up to date: ${counted(steps, 'step')}.`,
  )
  if (jobs !== null) context.output.say(`Messages were made anew for ${counted(jobs, 'job')}.`)
  context.events.line({ type: 'migrated', steps, rebuilt_jobs: jobs })
  return 0
}
