import { type Command, Option } from 'commander'
import type { Priority } from '../../domain/job.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { positiveInteger } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { notYetSupported } from './unsupported.ts'

interface SetFlags {
  readonly worker?: string
  readonly budgetUsd?: string
  readonly concurrency?: number
  readonly priority?: Priority
}

/** `sluice set`: changes a running or paused job, or a worker. */
export function addSetCommand(program: Command, launch: Launch): void {
  program
    .command('set')
    .description('change a running or paused job, or a worker')
    .argument('[job]')
    .option('--worker <id>', 'change this worker of the fleet instead; only its --concurrency')
    .option('--budget-usd <amount>', 'the most it may cost (not yet supported)')
    .option('--concurrency <n>', 'the most requests in flight', positiveInteger)
    .addOption(new Option('--priority <priority>', 'before or after other jobs').choices(['high', 'normal', 'low']))
    .action((job: string | undefined, flags: SetFlags) =>
      launch((context) =>
        flags.worker === undefined ? set(context, job, flags) : setWorker(context, job, flags.worker, flags),
      ),
    )
}

async function set(context: CommandContext, id: string | undefined, flags: SetFlags): Promise<ExitCode> {
  if (id === undefined) throw new SluiceError('usage', 'Nothing to change: name a job, or a --worker.')
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

/** A worker obeys with its next beat. */
async function setWorker(
  context: CommandContext,
  job: string | undefined,
  workerId: string,
  { concurrency, priority, budgetUsd }: SetFlags,
): Promise<ExitCode> {
  if (job !== undefined) throw new SluiceError('usage', 'Name a job or a --worker, not both.')
  if (concurrency === undefined || priority !== undefined || budgetUsd !== undefined)
    throw new SluiceError('usage', 'Of a worker only its --concurrency can be set.')
  await (await context.engine()).setWorker(workerId, concurrency)
  context.output.say(`${workerId}: asked to have ${concurrency} rows in flight at the most`)
  context.events.line({ type: 'settings', worker: workerId, concurrency })
  return 0
}
