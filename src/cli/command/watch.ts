import type { Command } from 'commander'
import type { JobStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { outcomeLine } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { createDisplay } from '../display.ts'
import { workExitCode } from '../exit-code.ts'
import { namedOrNewest } from '../job-choice.ts'

/** `sluice watch`: a job's progress, whoever works on it, until it stands still. */
export function addWatchCommand(program: Command, launch: Launch): void {
  program
    .command('watch')
    .description('look on while a job runs')
    .argument('[job]', 'default: the newest')
    .action((job: string | undefined) => launch((context) => watch(context, job), { endsInOrder: true }))
}

async function watch(context: CommandContext, named: string | undefined): Promise<ExitCode> {
  const { events, interruption, output } = context
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  const display = createDisplay(output, context.deps.runtime, 'watching')
  let latest: JobStatus | null = null
  try {
    for await (const status of engine.watch(id, interruption.stop)) {
      latest = status
      display.status(status)
      events.status(status)
    }
  } finally {
    display.close()
  }
  const status = latest ?? (await engine.status(id))
  output.say(`${id}  ${outcomeLine(status)}`)
  events.summary(status)
  return workExitCode(status, interruption.received())
}
