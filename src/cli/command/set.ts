import { type Command, Option } from 'commander'
import type { Priority } from '../../domain/job.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { positiveInteger } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { notYetSupported } from './unsupported.ts'

interface SetFlags {
  readonly budgetUsd?: string
  readonly concurrency?: number
  readonly priority?: Priority
}

/** `sluice set`: changes a running or paused job. */
export function addSetCommand(program: Command, launch: Launch): void {
  program
    .command('set')
    .description('change a running or paused job')
    .argument('<job>')
    .option('--budget-usd <amount>', 'the most it may cost (not yet supported)')
    .option('--concurrency <n>', 'the most requests in flight', positiveInteger)
    .addOption(new Option('--priority <priority>', 'before or after other jobs').choices(['high', 'normal', 'low']))
    .action((job: string, flags: SetFlags) => launch((context) => set(context, job, flags)))
}

async function set(context: CommandContext, id: string, flags: SetFlags): Promise<ExitCode> {
  if (flags.budgetUsd !== undefined) throw notYetSupported('--budget-usd')
  const settings = {
    ...(flags.concurrency !== undefined && { concurrency: flags.concurrency }),
    ...(flags.priority !== undefined && { priority: flags.priority }),
  }
  if (Object.keys(settings).length === 0)
    throw new SluiceError('usage', 'Nothing to set.', { hint: 'Give --concurrency or --priority.' })
  const engine = await context.engine()
  const job = await engine.set(id, settings)
  const { concurrency, priority } = job.settings
  context.output.say(
    `${id}: concurrency ${concurrency ?? 'as the spec says'}, priority ${priority ?? 'as the spec says'}`,
  )
  context.events.line({ type: 'settings', job: id, concurrency, priority })
  context.events.summary(await engine.status(id))
  return 0
}
