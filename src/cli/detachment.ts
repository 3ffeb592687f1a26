import { isTerminal, type JobId } from '../domain/job.ts'
import type { Engine } from '../engine.ts'
import type { ExitCode } from '../errors.ts'
import type { CommandContext } from './context.ts'
import { counted } from './figures.ts'
import { jobEvent } from './ndjson.ts'
import { stateText } from './panel.ts'

/** Leaves a job to the fleet: its id goes to stdout, who will work on it and how to look on to stderr. Exit code 0, whatever becomes of it. */
export async function detach(context: CommandContext, engine: Engine, id: JobId): Promise<ExitCode> {
  const { events, output } = context
  const status = await engine.status(id)
  if (output.mode === 'human') await output.data(`${id}\n`)
  const lines = [`${stateText(status)}   ${counted(status.job.rowsTotal, 'row')}`]
  if (!isTerminal(status.job.state)) {
    lines.push(await whoWorks(context, engine, id), `Look on:   ${context.commandLine(`watch ${id}`)}`)
  }
  output.say(lines.join('\n'))
  events.line(jobEvent(status, context.deps.runtime.now()))
  events.summary(status)
  return 0
}

/** A job that nobody is about to take up would lie there in silence. */
async function whoWorks(context: CommandContext, engine: Engine, id: JobId): Promise<string> {
  const { workers } = await engine.fleet()
  const ready = workers.filter((worker) => !worker.gone && (worker.job === null || worker.job === id)).length
  if (ready > 0) return `${counted(ready, 'worker')} will take it up.`
  return `No worker is about. Start one:  ${context.commandLine('worker')}  (or work on it here:  ${context.commandLine(`resume ${id}`)})`
}
