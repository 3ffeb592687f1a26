import type { Command } from 'commander'
import { type ExitCode, type Finding, findingJson } from '../../errors.ts'
import type { CommandContext, Launch } from '../context.ts'
import { findingLines } from '../error-text.ts'
import { counted } from '../figures.ts'
import { addSpecFlags, type SpecFlags, specOverrides } from '../spec-flags.ts'

/** `sluice check`: every error of a spec at once; spends nothing. */
export function addCheckCommand(program: Command, launch: Launch): void {
  addSpecFlags(
    program
      .command('check')
      .description('find everything wrong with a spec; spends nothing')
      .argument('<spec>', 'spec file (YAML, JSON or TypeScript)'),
  ).action((spec: string, flags: SpecFlags) => launch((context) => check(context, spec, flags)))
}

async function check(context: CommandContext, spec: string, flags: SpecFlags): Promise<ExitCode> {
  const engine = await context.engine()
  const { findings, ok } = await engine.check(spec, specOverrides(flags))
  const errors = countOf(findings, 'error')
  const warnings = countOf(findings, 'warning')
  for (const finding of findings) context.events.line({ type: 'finding', ...findingJson(finding) })
  context.events.line({ type: 'check', ok, errors, warnings })
  if (context.output.mode === 'human') {
    const { style } = context.output
    const lines = findings.flatMap((finding) => findingLines(finding, style))
    const summary =
      ok && warnings === 0 ? 'No errors.' : `${counted(errors, 'error')}, ${counted(warnings, 'warning')}.`
    await context.output.data(`${[...lines, summary].join('\n')}\n`)
  }
  return ok ? 0 : 2
}

function countOf(findings: readonly Finding[], severity: Finding['severity']): number {
  return findings.filter((finding) => finding.severity === severity).length
}
