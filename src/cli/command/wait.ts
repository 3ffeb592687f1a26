import type { Command } from 'commander'
import type { ExitCode } from '../../errors.ts'
import { durationMs } from '../arguments.ts'
import { outcomeLine } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { signalExitCode } from '../interruption.ts'
import { namedOrNewest } from '../job-choice.ts'

/** `sluice wait`: returns when a job stands still, with its exit code; 6 when the time passed first. */
export function addWaitCommand(program: Command, launch: Launch): void {
  program
    .command('wait')
    .description('wait until a job is over or paused')
    .argument('[job]', 'default: the newest')
    .option('--timeout <time>', 'give up waiting after this: 90 (seconds), 10m, 2h; exit code 6', durationMs)
    .action((job: string | undefined, flags: { timeout?: number }) =>
      launch((context) => wait(context, job, flags.timeout ?? null), { endsInOrder: true }),
    )
}

async function wait(context: CommandContext, named: string | undefined, timeoutMs: number | null): Promise<ExitCode> {
  const engine = await context.engine()
  const id = await namedOrNewest(context, engine, named)
  const still = await engine.wait(id, { timeoutMs, signal: context.interruption.stop })
  const status = still ?? (await engine.status(id))
  context.output.say(`${id}  ${outcomeLine(status)}`)
  context.events.summary(status)
  const signal = context.interruption.received()
  if (still !== null) return status.exitCode
  return signal === null ? 6 : signalExitCode(signal)
}
