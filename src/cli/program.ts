import { Command, CommanderError } from 'commander'
import type { ExitCode } from '../errors.ts'
import { addAuditCommand } from './command/audit.ts'
import { addBatchesCommand } from './command/batches.ts'
import { addCancelCommand } from './command/cancel.ts'
import { addCheckCommand } from './command/check.ts'
import { addCostCommand } from './command/cost.ts'
import { addFailedCommand } from './command/failed.ts'
import { addInitCommand } from './command/init.ts'
import { addJobsCommand } from './command/jobs.ts'
import { addKeyCommand } from './command/key.ts'
import { addMigrateCommand } from './command/migrate.ts'
import { addNotifyCommand } from './command/notify.ts'
import { addPauseCommand } from './command/pause.ts'
import { addPlanCommand } from './command/plan.ts'
import { addReportCommand } from './command/report.ts'
import { addResultsCommand } from './command/results.ts'
import { addResumeCommand } from './command/resume.ts'
import { addRetryCommand } from './command/retry.ts'
import { addRunCommand } from './command/run.ts'
import { addServeCommand } from './command/serve.ts'
import { addSetCommand } from './command/set.ts'
import { addSettleCommand } from './command/settle.ts'
import { addSimulateCommand } from './command/simulate.ts'
import { addStatusCommand } from './command/status.ts'
import { addTenantCommand } from './command/tenant.ts'
import { addTryCommand } from './command/try.ts'
import { addWaitCommand } from './command/wait.ts'
import { addWatchCommand } from './command/watch.ts'
import { addWorkerCommand } from './command/worker.ts'
import type { CliDeps, Launch } from './context.ts'
import { errorText } from './error-text.ts'
import { EXIT_CODES } from './exit-code.ts'
import { type GlobalFlags, perform } from './perform.ts'
import { createStyle } from './style.ts'

/** The command line as a whole. */
export interface Program {
  /** Runs one command line (without node and script); resolves with the exit code and never rejects. */
  run(argv: readonly string[]): Promise<ExitCode>
}

/** Builds the command line over the given outside world. */
export function createProgram(deps: CliDeps): Program {
  // Each failed write is reported through its own callback; without listeners the same error would end the process.
  deps.stdout.on('error', () => undefined)
  deps.stderr.on('error', () => undefined)
  return Object.freeze({
    run: async (argv: readonly string[]) => {
      let exitCode: ExitCode = 0
      const program = rootCommand(deps)
      const launch: Launch = async (work, traits = {}) => {
        exitCode = await perform(deps, program.opts<GlobalFlags>(), work, traits)
      }
      for (const add of COMMANDS) add(program, launch)
      try {
        await program.parseAsync(argv, { from: 'user' })
        return exitCode
      } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
        const told = errorText(error, createStyle(false), false)
        deps.stderr.write(`${told.text}\n`)
        return told.exitCode
      }
    },
  })
}

const COMMANDS = [
  addInitCommand,
  addCheckCommand,
  addTryCommand,
  addPlanCommand,
  addRunCommand,
  addResumeCommand,
  addWorkerCommand,
  addPauseCommand,
  addCancelCommand,
  addWaitCommand,
  addSetCommand,
  addSettleCommand,
  addJobsCommand,
  addStatusCommand,
  addBatchesCommand,
  addWatchCommand,
  addResultsCommand,
  addFailedCommand,
  addRetryCommand,
  addReportCommand,
  addCostCommand,
  addNotifyCommand,
  addMigrateCommand,
  addServeCommand,
  addTenantCommand,
  addKeyCommand,
  addAuditCommand,
  addSimulateCommand,
]

function rootCommand(deps: CliDeps): Command {
  const exitCodes = Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`)
  return new Command('sluice')
    .description(
      'Batch processing of many rows with LLMs. Safe to kill at any moment; nothing finished is paid for twice.',
    )
    .version(deps.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option('--data-dir <dir>', 'where state lives (default: .sluice)')
    .option('--json', 'JSON lines on stdout, as when it is piped')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `\nExit codes:\n${exitCodes.join('\n')}`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void deps.stdout.write(text),
      writeErr: (text) => void deps.stderr.write(text),
      getOutHelpWidth: () => deps.stdout.columns ?? 80,
      getErrHelpWidth: () => deps.stderr.columns ?? 80,
    })
}
