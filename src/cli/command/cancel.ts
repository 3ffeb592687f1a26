import type { Command } from 'commander'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { namedOrOnlyUnfinished, nothingToDo } from '../job-choice.ts'
import { stateText } from '../panel.ts'

/** `sluice cancel`: ends a job; what is done is kept. */
export function addCancelCommand(program: Command, launch: Launch): void {
  program
    .command('cancel')
    .description('cancel a job, from any terminal')
    .argument('[job]', 'default: the only one that is not over')
    .action((job: string | undefined) => launch((context) => cancel(context, job)))
}

async function cancel(context: CommandContext, named: string | undefined): Promise<ExitCode> {
  const engine = await context.engine()
  const id = await namedOrOnlyUnfinished(context, engine, named)
  if (id === null) return nothingToDo(context, 'Nothing to cancel: no job is unfinished.')
  const job = await engine.cancel(id)
  context.output.say(
    job.wanted === 'cancel'
      ? `${id} was asked to cancel: rows in flight finish first.`
      : `${id}: ${stateText({ job })}`,
  )
  context.events.summary(await engine.status(id))
  return 0
}
