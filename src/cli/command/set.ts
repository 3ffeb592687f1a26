import { type Command, Option } from 'commander'
import type { Priority } from '../../domain/job.ts'
import { formatUsd, toUsd } from '../../domain/money.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { dollars, positiveInteger } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { count } from '../figures.ts'

interface SetFlags {
  readonly worker?: string
  readonly budgetUsd?: number
  readonly budgetTokens?: number
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
    .option('--budget-usd <amount>', 'the most it may cost', dollars)
    .option('--budget-tokens <n>', 'the most tokens it may use, input and output', positiveInteger)
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
  const settings = {
    ...(flags.budgetUsd !== undefined && { budgetNano: flags.budgetUsd }),
    ...(flags.budgetTokens !== undefined && { budgetTokens: flags.budgetTokens }),
    ...(flags.concurrency !== undefined && { concurrency: flags.concurrency }),
    ...(flags.priority !== undefined && { priority: flags.priority }),
  }
  if (Object.keys(settings).length === 0)
    throw new SluiceError('usage', 'Nothing to set.', {
      hint: 'Give --budget-usd, --budget-tokens, --concurrency or --priority.',
    })
  const engine = await context.engine()
  const job = await engine.set(id, settings)
  const { concurrency, priority, budgetNano, budgetTokens } = job.settings
  const parts = [`concurrency ${concurrency ?? 'as the spec says'}`, `priority ${priority ?? 'as the spec says'}`]
  if (budgetNano !== null) parts.push(`budget ${formatUsd(budgetNano)}`)
  if (budgetTokens !== null) parts.push(`budget ${count(budgetTokens)} tokens`)
  context.output.say(`${id}: ${parts.join(', ')}`)
  const budget = { budget_usd: budgetNano === null ? null : toUsd(budgetNano), budget_tokens: budgetTokens }
  context.events.line({ type: 'settings', job: id, concurrency, priority, ...budget })
  context.events.summary(await engine.status(id))
  return 0
}

/** A worker obeys with its next beat. */
async function setWorker(
  context: CommandContext,
  job: string | undefined,
  workerId: string,
  { concurrency, priority, budgetUsd, budgetTokens }: SetFlags,
): Promise<ExitCode> {
  if (job !== undefined) throw new SluiceError('usage', 'Name a job or a --worker, not both.')
  const ofJobs = [priority, budgetUsd, budgetTokens]
  if (concurrency === undefined || ofJobs.some((flag) => flag !== undefined))
    throw new SluiceError('usage', 'Of a worker only its --concurrency can be set.')
  await (await context.engine()).setWorker(workerId, concurrency)
  context.output.say(`${workerId}: asked to have ${concurrency} rows in flight at the most`)
  context.events.line({ type: 'settings', worker: workerId, concurrency })
  return 0
}
