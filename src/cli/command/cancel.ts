import type { Command } from 'commander'
import type { JobStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { counted } from '../figures.ts'
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
  const status = await engine.status(id)
  context.output.say(
    job.wanted === 'cancel'
      ? `${id} was asked to cancel: ${waitText(context, status)}`
      : `${id}: ${stateText({ job })}`,
  )
  context.events.summary(status)
  return 0
}

/** What a job that is not cancelled at once still waits for. */
function waitText(context: CommandContext, { job, batches }: JobStatus): string {
  if (batches === null || batches.shards.length === 0) return 'rows in flight finish first.'
  const out = counted(batches.shards.length, 'batch', 'batches')
  return `what ${out} brought is booked first, since it is paid for. Where no worker runs: ${context.commandLine(`resume ${job.id}`)}`
}
