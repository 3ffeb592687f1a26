import { isTerminal } from '../domain/job.ts'
import type { JobStatus } from '../engine.ts'
import type { ExitCode } from '../errors.ts'
import { type SignalName, signalExitCode } from './interruption.ts'

/** What each exit code says (contract §5). */
export const EXIT_CODES: Readonly<Record<ExitCode, string>> = Object.freeze({
  0: 'done, or nothing to do',
  1: 'operational error; provider down, storage, job time-out, cancelled',
  2: 'usage or spec error; nothing was spent',
  3: 'a gate was missed, or the job paused because too many rows failed',
  4: 'credentials or quota',
  5: 'budget',
  6: 'still running, or waiting for approval',
  130: 'interrupted by Ctrl-C or paused by a user; checkpointed',
  143: 'terminated by a signal; checkpointed',
})

/** The exit code of a command that worked on a job: the job's own when it is over, else that of the signal that stopped the work. */
export function workExitCode(status: JobStatus, signal: SignalName | null): ExitCode {
  return signal === null || isTerminal(status.job.state) ? status.exitCode : signalExitCode(signal)
}
