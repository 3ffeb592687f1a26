import { isTerminal, type PauseReason } from '../domain/job.ts'
import type { Engine, JobStatus } from '../engine.ts'
import type { ExitCode } from '../errors.ts'
import type { CommandContext } from './context.ts'
import { workExitCode } from './exit-code.ts'
import { clock, cost, count, counted } from './figures.ts'
import { stateText, tokenCounts } from './panel.ts'
import { type ResultsTarget, sayWritten, writeResults } from './results-target.ts'
import { printable, printableLines } from './terminal-text.ts'
import { verdictOf } from './verdict.ts'

/**
 * Ends a command that worked on a job: the verdict, or why the job stands still and how to go on, on stderr; the results where they were asked
 * for; the summary for programs. Returns the exit code.
 */
export async function conclude(
  context: CommandContext,
  engine: Engine,
  status: JobStatus,
  target: ResultsTarget | null = null,
): Promise<ExitCode> {
  const signal = context.interruption.received()
  if (isTerminal(status.job.state)) {
    await sayVerdict(context, engine, status)
    if (target !== null) sayWritten(context, target, await writeResults(engine, status.job.id, target))
    sayPlain(context, nextSteps(context, status, target !== null))
  } else {
    sayPlain(context, standingLines(context, status, signal !== null))
  }
  context.events.summary(status)
  return workExitCode(status, signal)
}

/** One line on what became of a job: `completed   196 ok   4 failed   0:41   $0.0214`. */
export function outcomeLine(status: JobStatus): string {
  const { counters } = status
  const parts = [stateText(status), `${count(counters.succeeded)} ok`, `${count(counters.failed)} failed`]
  if (counters.skipped > 0) parts.push(`${count(counters.skipped)} skipped`)
  if (counters.cancelled > 0) parts.push(`${count(counters.cancelled)} cancelled`)
  if (counters.cached > 0) parts.push(`${count(counters.cached)} reused`)
  parts.push(clock(status.elapsedMs), cost(counters))
  return parts.join('   ')
}

/** Why a job that is not over stands where it does, and what to type next. */
export function standingLines(context: CommandContext, status: JobStatus, interrupted: boolean): string[] {
  const { job } = status
  const at = `${count(status.rowsDone)}/${counted(job.rowsTotal, 'row')}`
  const resume = `Continue:  ${context.commandLine(`resume ${job.id}`)}`
  if (interrupted) return [`Checkpointed at ${at}. Nothing finished will be paid for again.`, resume]
  if (job.state !== 'paused')
    return [`${stateText(status)} at ${at}`, `Look on:  ${context.commandLine(`watch ${job.id}`)}`]
  const lines = [`${stateText(status)} at ${at}. Nothing finished will be paid for again.`]
  if (job.detail !== null && job.reason !== 'user') lines.push(printable(job.detail))
  const advice = PAUSE_ADVICE[job.reason as PauseReason] ?? null
  if (advice !== null) lines.push(advice)
  return [...lines, resume]
}

const PAUSE_ADVICE: Readonly<Record<PauseReason, string | null>> = {
  user: null,
  budget:
    'To go on, raise it (`sluice set --budget-usd`, `--budget-tokens`); where it was a projection, going on is enough.',
  error_rate: 'Too many rows failed: look at the causes with `sluice failed` before going on.',
  provider_down: 'The provider does not answer: go on when it is back.',
  credentials: 'Set the variable named by model.api_key_env to a valid key, then go on.',
  quota: 'Add credit at the provider, then go on.',
  storage: 'Free some space, then go on.',
  approval: 'The job waits for an approval.',
}

async function sayVerdict(context: CommandContext, engine: Engine, status: JobStatus): Promise<void> {
  const { output } = context
  const report = await engine.report(status.job.id, 'md')
  const text = output.live ? `${verdictOf(report)}\n${figuresLine(status)}` : report.trimEnd()
  output.say(printableLines(text).join('\n'))
}

function figuresLine(status: JobStatus): string {
  const { cached } = status.counters
  const reused = cached > 0 ? `   ${count(cached)} reused` : ''
  return `${status.job.id}   time ${clock(status.elapsedMs)}${reused}   tokens ${tokenCounts(status)}`
}

function nextSteps(context: CommandContext, status: JobStatus, written: boolean): string[] {
  const { id, state } = status.job
  const { counters } = status
  const steps: string[] = []
  if (!written && counters.succeeded > 0)
    steps.push(`Results:   ${context.commandLine(`results ${id} -o results.csv`)}`)
  if (counters.failed > 0) {
    steps.push(`Failures:  ${context.commandLine(`failed ${id}`)}`)
    steps.push(`Again:     ${context.commandLine(`retry ${id}`)}`)
  } else if (state === 'cancelled') {
    steps.push(`Again:     ${context.commandLine(`retry ${id} --cause cancelled`)}`)
  }
  return steps
}

function sayPlain(context: CommandContext, lines: readonly string[]): void {
  if (lines.length > 0) context.output.say(lines.join('\n'))
}
