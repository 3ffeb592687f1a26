import { resolve } from 'node:path'
import type { Command } from 'commander'
import { planJson } from '../../delivery/plan-json.ts'
import { planMarkdown } from '../../delivery/plan-markdown.ts'
import type { Engine, Planned, PlanRequest } from '../../engine.ts'
import { type ExitCode, type Finding, findingJson } from '../../errors.ts'
import { positiveInteger } from '../arguments.ts'
import { standingLines } from '../conclusion.ts'
import type { CommandContext, Launch } from '../context.ts'
import { createDisplay } from '../display.ts'
import { findingLines } from '../error-text.ts'
import { workExitCode } from '../exit-code.ts'
import { savePlan } from '../plan-file.ts'
import { planLines } from '../plan-view.ts'
import { addSpecFlags, type SpecFlags, specOverrides } from '../spec-flags.ts'

interface PlanFlags extends SpecFlags {
  readonly output?: string
  readonly sample?: number
  readonly explain?: boolean
  readonly markdown?: boolean
}

/** `sluice plan`: what a run would do, cost and take, as ranges with what they rest on. */
export function addPlanCommand(program: Command, launch: Launch): void {
  addSpecFlags(
    program
      .command('plan')
      .description('what a run would do, cost and take; spends nothing, save on --sample')
      .argument('<spec>', 'spec file (YAML, JSON or TypeScript)'),
  )
    .option('-o, --output <file>', 'keep the plan here, for `sluice run --plan`')
    .option('--sample <n>', 'ask n of the rows to run, and count with what they use', positiveInteger)
    .option('--explain', 'why rows are paid for again, compared with the latest earlier job')
    .option('--markdown', 'as a comment for a review')
    .action((spec: string, flags: PlanFlags) =>
      launch((context) => plan(context, spec, flags), {
        endsInOrder: true,
        ...(flags.markdown === true && { stdout: 'data' as const }),
      }),
    )
}

async function plan(context: CommandContext, specPath: string, flags: PlanFlags): Promise<ExitCode> {
  const overrides = specOverrides(flags)
  const engine = await context.engine()
  const planned = await makePlan(context, engine, {
    specPath,
    overrides,
    // Whoever reviews wants to know what differs.
    ...((flags.explain === true || flags.markdown === true) && { explain: true }),
    ...(flags.sample !== undefined && {
      pilot: { rows: flags.sample, signal: context.interruption.stop, abandon: context.interruption.abandon },
    }),
  })
  if (planned.plan === null) return unplanned(context, planned)
  if (flags.output !== undefined) {
    const { cwd } = context.config
    await savePlan(resolve(cwd, flags.output), planned.plan, { specPath: resolve(cwd, specPath), overrides })
  }
  await show(context, planned, flags.markdown === true)
  if (flags.output !== undefined) {
    context.output.say(`Wrote ${flags.output}; it holds until spec, input or prices change.`)
    context.output.say(`Run it:  ${context.commandLine(`run --plan ${flags.output}`)}`)
  }
  return 0
}

/** Makes the plan; meanwhile shows how the input is read, and how the pilot gets on. */
async function makePlan(
  context: CommandContext,
  engine: Engine,
  request: Omit<PlanRequest, 'signal' | 'onIntake'>,
): Promise<Planned> {
  const { events, interruption, output } = context
  const display = createDisplay(output, context.deps.runtime, 'working')
  const { pilot } = request
  try {
    return await engine.plan({
      ...request,
      signal: interruption.stop,
      onIntake: (progress) => {
        display.intake(progress)
        events.intake(progress)
      },
      ...(pilot && {
        pilot: {
          ...pilot,
          onStatus: (status) => {
            display.status(status)
            events.status(status)
          },
        },
      }),
    })
  } finally {
    display.close()
  }
}

async function show(context: CommandContext, { plan, findings, pilot }: Planned, markdown: boolean): Promise<void> {
  const { output, events } = context
  if (plan === null) return
  const warnings = findings.filter(({ severity }) => severity === 'warning')
  if (markdown) {
    sayFindings(context, warnings)
    await output.data(planMarkdown(plan))
    return
  }
  for (const finding of warnings) events.line({ type: 'finding', ...findingJson(finding) })
  events.line(planJson(plan))
  sayFindings(context, warnings)
  if (output.mode === 'human') await output.data(`${planLines(plan, output.style).join('\n')}\n`)
  if (pilot !== null)
    output.say(`The answers of ${pilot.job.id} are kept: its rows are not paid for again where answers are reused.`)
}

/** Errors as `check` gives them, or a pilot that stands still. */
function unplanned(context: CommandContext, { findings, pilot }: Planned): ExitCode {
  const { output, events } = context
  if (pilot !== null) {
    const signal = context.interruption.received()
    output.say(
      ['There is no plan: its pilot did not come to its end.', ...standingLines(context, pilot, signal !== null)].join(
        '\n',
      ),
    )
    events.summary(pilot)
    return workExitCode(pilot, signal)
  }
  for (const finding of findings) events.line({ type: 'finding', ...findingJson(finding) })
  sayFindings(
    context,
    findings.filter(({ severity }) => severity !== 'ok'),
  )
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
  events.line({ type: 'check', ok: false, errors: count('error'), warnings: count('warning') })
  return 2
}

function sayFindings(context: CommandContext, findings: readonly Finding[]): void {
  const lines = findings.flatMap((finding) => findingLines(finding, context.output.sayStyle))
  if (lines.length > 0) context.output.say(lines.join('\n'))
}
