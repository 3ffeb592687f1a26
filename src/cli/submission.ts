import type { Engine, SubmitRequest, Submitted } from '../engine.ts'
import type { CommandContext } from './context.ts'
import { createDisplay } from './display.ts'
import { isInterruption } from './interruption.ts'

/** Submits a job, shows how its input is read, and passes on the engine's notes. Interrupted, it says how to go on and throws. */
export async function submit(
  context: CommandContext,
  engine: Engine,
  request: Omit<SubmitRequest, 'signal' | 'onIntake'>,
): Promise<Submitted> {
  const { events, interruption, output } = context
  const display = createDisplay(output, context.deps.runtime, 'working')
  const reading = engine.submit({
    ...request,
    signal: interruption.stop,
    onIntake: (progress) => {
      display.intake(progress)
      events.intake(progress)
    },
  })
  const submitted = await reading
    .catch(async (error: unknown) => {
      display.close()
      if (isInterruption(error, interruption)) await sayHowToGoOn(context, engine)
      throw error
    })
    .finally(() => display.close())
  for (const note of submitted.notes) context.note(note)
  return submitted
}

async function sayHowToGoOn(context: CommandContext, engine: Engine): Promise<void> {
  const job = await engine.latest(['created'])
  if (job === null) return
  context.note(
    `Stopped while reading the input; what was read is kept. Continue:  ${context.commandLine(`resume ${job.id}`)}`,
  )
  context.events.summary(await engine.status(job.id))
}
