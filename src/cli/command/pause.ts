import type { Command } from 'commander'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { namedOrOnlyUnfinished, nothingToDo } from '../job-choice.ts'
import { stateText } from '../panel.ts'

/** `sluice pause`: asks whoever works on a job to stop taking rows. */
export function addPauseCommand(program: Command, launch: Launch): void {
  program
    .command('pause')
    .description('pause a job, from any terminal')
    .argument('[job]', 'default: the only one that is not over')
    .action((job: string | undefined) => launch((context) => pause(context, job)))
}

async function pause(context: CommandContext, named: string | undefined): Promise<ExitCode> {
  const engine = await context.engine()
  const id = await namedOrOnlyUnfinished(context, engine, named)
  if (id === null) return nothingToDo(context, 'Nothing to pause: no job is unfinished.')
  const job = await engine.pause(id)
  context.output.say(
    job.state === 'paused' || job.wanted === null
      ? `${id}: ${stateText({ job })}`
      : `${id} was asked to pause: rows in flight finish first.`,
  )
  context.events.summary(await engine.status(id))
  return 0
}
