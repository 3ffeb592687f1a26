import type { Command } from 'commander'
import { budgetText } from '../../delivery/budget-text.ts'
import { isTerminal } from '../../domain/job.ts'
import type { JobStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { batchLines, batchText } from '../batch-view.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age, bar, clock, count, counted } from '../figures.ts'
import { fleetEvents, fleetLines, fleetSummary } from '../fleet-view.ts'
import { newest } from '../job-choice.ts'
import { laneFacts, turnaroundText } from '../lane-view.ts'
import { jobEvent } from '../ndjson.ts'
import { rowsText, shownPercent, stateText, tokensText } from '../panel.ts'
import type { Style } from '../style.ts'
import { clip, pad, printable } from '../terminal-text.ts'

/** `sluice status`: one job as it stands, or the fleet. */
export function addStatusCommand(program: Command, launch: Launch): void {
  program
    .command('status')
    .description('show how a job stands, or who works')
    .argument('[job]', 'default: the newest')
    .option('--fleet', 'show the workers, what each holds since when, and what waits')
    .action((job: string | undefined, flags: { fleet?: boolean }) =>
      launch((context) => (flags.fleet === true ? fleet(context) : status(context, job))),
    )
}

async function fleet(context: CommandContext): Promise<ExitCode> {
  const { output, events } = context
  const now = await (await context.engine()).fleet()
  for (const event of fleetEvents(now)) events.line(event)
  if (output.mode === 'human') {
    const lines = fleetLines(now, context.deps.runtime.now(), output.width(), output.style)
    await output.data(`${lines.join('\n')}\n`)
  }
  return 0
}

async function status(context: CommandContext, named: string | undefined): Promise<ExitCode> {
  const { output, events } = context
  const engine = await context.engine()
  // Without a job at all, workers that wait for one are all there is to show.
  const workers = named === undefined ? await engine.fleet() : null
  if (workers !== null && workers.workers.length > 0 && (await engine.latest()) === null) return fleet(context)
  const id = named ?? (await newest(engine)).id
  const now = await engine.status(id)
  events.line(jobEvent(now, context.deps.runtime.now()))
  events.summary(now)
  if (output.mode === 'human') {
    const lines = statusLines(now, context.deps.runtime.now(), output.width(), output.style)
    if (workers !== null && workers.workers.length > 0) lines.push(`fleet    ${fleetSummary(workers)}`)
    if (!isTerminal(now.job.state) && now.job.state !== 'running')
      lines.push(`next     ${context.commandLine(`resume ${id}`)}`)
    await output.data(`${lines.join('\n')}\n`)
  }
  return 0
}

function batchFacts({ batches, turnarounds }: JobStatus, nowMs: number): [string, string][] {
  const text = batches === null ? null : batchText(batches, nowMs)
  if (batches === null || text === null) return []
  const lines = [...batchLines(batches, nowMs), ...(turnarounds === null ? [] : [turnaroundText(turnarounds)])]
  return [['batches', text], ...lines.map((line): [string, string] => ['', line])]
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
    ...laneFacts(status, nowMs),
    ...batchFacts(status, nowMs),
    ...(status.budget === null ? [] : [['budget', budgetText(status.budget)] as [string, string]]),
    ['saved', `${count(status.chunksDone)} of ${counted(job.chunksTotal, 'chunk')}`],
    ['errors', status.causes.map((each) => `${count(each.rows)} ${each.cause}`).join('   ') || 'none'],
    ['time', `${clock(status.elapsedMs)} of work, created ${age(nowMs - job.createdAtMs)} ago`],
  ]
  const head = clip([job.id, job.specName, status.model].map(printable).join(' · '), width)
  return [style.bold(head), ...facts.map(([label, text]) => clip(`${pad(label, 9)}${text}`, width))]
}
