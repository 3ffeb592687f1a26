import type { Command } from 'commander'
import { isTerminal } from '../../domain/job.ts'
import type { JobStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age, bar, clock, count, counted } from '../figures.ts'
import { newest } from '../job-choice.ts'
import { jobEvent } from '../ndjson.ts'
import { rowsText, shownPercent, stateText, tokensText } from '../panel.ts'
import type { Style } from '../style.ts'
import { clip, pad, printable } from '../terminal-text.ts'

/** `sluice status`: one job, as it stands. */
export function addStatusCommand(program: Command, launch: Launch): void {
  program
    .command('status')
    .description('show how a job stands')
    .argument('[job]', 'default: the newest')
    .action((job: string | undefined) => launch((context) => status(context, job)))
}

async function status(context: CommandContext, named: string | undefined): Promise<ExitCode> {
  const { output, events } = context
  const engine = await context.engine()
  const id = named ?? (await newest(engine)).id
  const now = await engine.status(id)
  events.line(jobEvent(now))
  events.summary(now)
  if (output.mode === 'human') {
    const lines = statusLines(now, context.deps.runtime.now(), output.width(), output.style)
    if (!isTerminal(now.job.state) && now.job.state !== 'running')
      lines.push(`next     ${context.commandLine(`resume ${id}`)}`)
    await output.data(`${lines.join('\n')}\n`)
  }
  return 0
}

/** A job for people, a fact a line; only its head is in bold. */
export function statusLines(status: JobStatus, nowMs: number, width: number, style: Style): string[] {
  const { job } = status
  const facts: [string, string][] = [
    ['state', stateText(status)],
    ...(job.detail === null ? [] : [['', printable(job.detail)] as [string, string]]),
    [
      'done',
      `${bar(status.rowsDone, job.rowsTotal, 30)} ${shownPercent(status)}%   ${count(status.rowsDone)}/${counted(job.rowsTotal, 'row')}`,
    ],
    ['rows', rowsText(status)],
    ['tokens', tokensText(status)],
    ['saved', `${count(status.chunksDone)} of ${counted(job.chunksTotal, 'chunk')}`],
    ['errors', status.causes.map((each) => `${count(each.rows)} ${each.cause}`).join('   ') || 'none'],
    ['time', `${clock(status.elapsedMs)} of work, created ${age(nowMs - job.createdAtMs)} ago`],
  ]
  const head = clip([job.id, job.specName, status.model].map(printable).join(' · '), width)
  return [style.bold(head), ...facts.map(([label, text]) => clip(`${pad(label, 9)}${text}`, width))]
}
