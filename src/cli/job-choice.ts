import type { Job, JobId, JobState } from '../domain/job.ts'
import type { Engine } from '../engine.ts'
import { type ExitCode, SluiceError } from '../errors.ts'
import type { CommandContext } from './context.ts'

/** States of a job that is not over. */
export const UNFINISHED: readonly JobState[] = ['created', 'queued', 'running', 'paused', 'finalizing']

/** The job that was named, else the newest; says which on stderr. Throws `job_not_found` when there is none. */
export async function namedOrNewest(
  context: CommandContext,
  engine: Engine,
  named: string | undefined,
): Promise<JobId> {
  if (named !== undefined) return named
  const job = await newest(engine)
  sayWhich(context, job)
  return job.id
}

/** The newest job. Throws `job_not_found` when there is none. */
export async function newest(engine: Engine): Promise<Job> {
  const job = await engine.latest()
  if (job === null)
    throw new SluiceError('job_not_found', 'There is no job yet.', { hint: 'Start one: `sluice run <spec>`.' })
  return job
}

/**
 * The job that was named, else the only one that is not over, trials aside. Throws `usage` when there are several: what stops a job is never guessed.
 * `null`: there is none.
 */
export async function namedOrOnlyUnfinished(
  context: CommandContext,
  engine: Engine,
  named: string | undefined,
): Promise<JobId | null> {
  if (named !== undefined) return named
  const unfinished = await engine.jobs({ limit: 50, states: UNFINISHED })
  const [only, other] = unfinished
  if (only === undefined) return null
  if (other !== undefined)
    throw new SluiceError('usage', 'More than one job is unfinished: name the one you mean.', {
      hint: 'See `sluice jobs`.',
    })
  sayWhich(context, only.job)
  return only.job.id
}

/** The sentence for when there is nothing to do; exit code 0. */
export function nothingToDo(context: CommandContext, sentence: string): ExitCode {
  context.note(sentence)
  return 0
}

function sayWhich(context: CommandContext, job: Job): void {
  context.output.say(`${job.id}  ${job.specName}`)
}
