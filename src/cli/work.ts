import type { JobId } from '../domain/job.ts'
import type { Engine, JobStatus } from '../engine.ts'
import type { CommandContext } from './context.ts'
import { createDisplay } from './display.ts'
import { isInterruption } from './interruption.ts'

/**
 * Works on a job in this process, with its progress shown, until it stands still or a signal stops it: the first lets rows in flight finish,
 * the second abandons them.
 */
export async function workOnJob(context: CommandContext, engine: Engine, id: JobId): Promise<JobStatus> {
  const { events, interruption, output } = context
  const display = createDisplay(output, context.deps.runtime, 'working')
  const onStop = () => display.stage('stopping')
  const onAbandon = () => display.stage('abandoning')
  interruption.stop.addEventListener('abort', onStop)
  interruption.abandon.addEventListener('abort', onAbandon)
  try {
    const working = engine.work(id, {
      signal: interruption.stop,
      abandon: interruption.abandon,
      onStatus: (now) => {
        display.status(now)
        events.status(now)
      },
    })
    const status = await working.catch((error: unknown) => {
      // Stopped before the work proper, while the rest of the input was read: all that was read is kept.
      if (isInterruption(error, interruption)) return engine.status(id)
      throw error
    })
    events.status(status)
    return status
  } finally {
    interruption.stop.removeEventListener('abort', onStop)
    interruption.abandon.removeEventListener('abort', onAbandon)
    display.close()
  }
}

/** Takes up a job that is not over: out of its pause first, where it is in one. */
export async function continueJob(context: CommandContext, engine: Engine, id: JobId): Promise<JobStatus> {
  await engine.resume(id)
  return workOnJob(context, engine, id)
}
