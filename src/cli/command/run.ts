import { resolve } from 'node:path'
import type { Command } from 'commander'
import { isTerminal } from '../../domain/job.ts'
import type { SpecOverrides, SubmitRequest } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { conclude } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { detach } from '../detachment.ts'
import { loadPlan } from '../plan-file.ts'
import { resultsTarget } from '../results-target.ts'
import { addSpecFlags, type SpecFlags, specOverrides } from '../spec-flags.ts'
import { submit } from '../submission.ts'
import { continueJob } from '../work.ts'

interface RunFlags extends SpecFlags {
  readonly plan?: string
  readonly jobKey?: string
  readonly output?: string
  readonly detach?: boolean
}

/** `sluice run`: submits a job, and works on it in this process or leaves it to the fleet. */
export function addRunCommand(program: Command, launch: Launch): void {
  addSpecFlags(
    program
      .command('run')
      .description('run a spec over its input')
      .argument('[spec]', 'spec file (YAML, JSON or TypeScript); default: that of --plan'),
  )
    .option('--plan <file>', 'run what was planned, as long as spec, input and prices are the same')
    .option('--job-key <key>', 'the same key attaches to, or resumes, the job that has it; it never bills twice')
    .option('-o, --output <file>', 'write the results here at the end; .csv, .jsonl or .parquet')
    .option('--detach', 'leave the work to `sluice worker`s; prints the job id')
    .action((spec: string | undefined, flags: RunFlags) =>
      launch((context) => run(context, spec, flags), { endsInOrder: true }),
    )
}

async function run(context: CommandContext, named: string | undefined, flags: RunFlags): Promise<ExitCode> {
  if (flags.detach && flags.output !== undefined)
    throw new SluiceError('usage', '--output waits for the end of the job, and --detach does not.', {
      hint: 'Fetch the results later with `sluice results`, or name a file under `write` in the spec.',
    })
  const { specPath, overrides, plan } = await whatToRun(context, named, flags)
  const target = flags.output === undefined ? null : resultsTarget(context.config.cwd, flags.output)
  const engine = await context.engine()
  const { job, created } = await submit(context, engine, {
    specPath,
    overrides,
    ...(plan && { plan }),
    ...(flags.jobKey !== undefined && { jobKey: flags.jobKey }),
  })
  if (!created) context.note(`The job key ${flags.jobKey} has ${job.id} already (${job.state}).`)
  if (flags.detach) {
    if (!isTerminal(job.state)) await engine.resume(job.id)
    return detach(context, engine, job.id)
  }
  const status = isTerminal(job.state) ? await engine.status(job.id) : await continueJob(context, engine, job.id)
  return conclude(context, engine, status, target)
}

/** The spec that is named, or that of the plan, with the flags that it was planned with; given flags win, and then it is the plan of another spec. */
async function whatToRun(
  context: CommandContext,
  named: string | undefined,
  flags: RunFlags,
): Promise<Pick<SubmitRequest, 'specPath' | 'plan'> & { readonly overrides: SpecOverrides }> {
  const overrides = specOverrides(flags)
  if (flags.plan === undefined) {
    if (named === undefined) throw new SluiceError('usage', "missing required argument 'spec'")
    return { specPath: named, overrides }
  }
  const plan = await loadPlan(resolve(context.config.cwd, flags.plan))
  return { specPath: named ?? plan.specPath, overrides: { ...plan.overrides, ...overrides }, plan }
}
