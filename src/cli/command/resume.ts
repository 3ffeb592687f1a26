import type { Command } from 'commander'
import { isTerminal } from '../../domain/job.ts'
import type { JobStatus } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { conclude } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { detach } from '../detachment.ts'
import { count, counted } from '../figures.ts'
import { nothingToDo, UNFINISHED } from '../job-choice.ts'
import { shownPercent } from '../panel.ts'
import { continueJob } from '../work.ts'

/** `sluice resume`: goes on with a job where it stands. */
export function addResumeCommand(program: Command, launch: Launch): void {
  program
    .command('resume')
    .description('go on with a job; nothing finished is sent again')
    .argument('[job]', 'default: the newest that is not over')
    .option('--detach', 'leave the work to `sluice worker`s')
    .action((job: string | undefined, flags: { detach?: boolean }) =>
      launch((context) => resume(context, job, flags.detach === true), { endsInOrder: true }),
    )
}

async function resume(context: CommandContext, named: string | undefined, detached: boolean): Promise<ExitCode> {
  const engine = await context.engine()
  const id = named ?? (await engine.latest(UNFINISHED))?.id
  if (id === undefined) return nothingToDo(context, 'Nothing to resume: no job is unfinished.')
  const before = await engine.status(id)
  if (isTerminal(before.job.state)) {
    context.note(`${id} is ${before.job.state}: nothing to resume.`)
    if (before.counters.failed + before.counters.cancelled > 0)
      context.output.say(`Its failed rows:  ${context.commandLine(`retry ${id}`)}`)
    context.events.summary(before)
    return 0
  }
  if (detached) {
    // Only this machine may have its input.
    if (before.job.state === 'created')
      throw new SluiceError('job_state', `the input of ${id} was not read to its end`, {
        hint: 'Resume it without --detach: its input is read here, and workers join in.',
      })
    await engine.resume(id)
    return detach(context, engine, id)
  }
  context.note(`Resuming ${id} ${whereText(before)}`)
  return conclude(context, engine, await continueJob(context, engine, id))
}

function whereText(status: JobStatus): string {
  const { rowsDone, job } = status
  if (job.state === 'created') return 'where the reading of its input was broken off'
  const start = shownPercent(status) === 0 ? '' : ` (starts at ${shownPercent(status)}%, not 0)`
  return `at ${count(rowsDone)}/${counted(job.rowsTotal, 'row')}${start}`
}
