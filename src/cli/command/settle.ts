import type { Command } from 'commander'
import { batchFields } from '../../engine/job-json.ts'
import type { OpenBatch, ShardVerdict } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { counted } from '../figures.ts'

interface SettleFlags {
  readonly is?: string
  readonly notSent?: boolean
}

/** `sluice settle`: a person says what became of a batch. */
export function addSettleCommand(program: Command, launch: Launch): void {
  program
    .command('settle')
    .description('say what became of a batch of which nobody else knows')
    .argument('<batch>', 'as `sluice batches` names it')
    .option('--is <id>', "it is this batch at the provider, by the provider's name")
    .option('--not-sent', 'the provider has no batch of it: it may be sent again')
    .action((batch: string, flags: SettleFlags) => launch((context) => settle(context, batch, flags)))
}

async function settle(context: CommandContext, name: string, flags: SettleFlags): Promise<ExitCode> {
  const engine = await context.engine()
  const batch = await engine.settle(name, verdictOf(flags))
  context.events.line({ type: 'batch', ...batchFields(batch) })
  context.output.say(saying(batch))
  for (const job of batch.jobs) context.output.say(`Where nobody works on it:  ${context.commandLine(`resume ${job}`)}`)
  return 0
}

function verdictOf({ is, notSent = false }: SettleFlags): ShardVerdict {
  if ((is === undefined) !== notSent) {
    throw new SluiceError('usage', 'Say what became of it: either --is <id>, or --not-sent.')
  }
  return is === undefined ? { is: 'not-sent' } : { is: 'batch', batchId: is }
}

function saying({ id, batchId, guessed, requests }: OpenBatch): string {
  const it = `${id} (${counted(requests, 'request')})`
  if (batchId === null) return `${it} was not sent: it is sent again.`
  return guessed ? `${it} is taken for ${batchId}, until its results show it.` : `${it} is ${batchId}.`
}
