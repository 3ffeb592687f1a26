import type { InputSpec } from '../domain/spec.ts'
import { type Finding, SluiceError } from '../errors.ts'
import { newReport, type Report, sortFindings } from '../spec/positions.ts'
import type { SpecReading } from '../spec/reading.ts'
import { checkBudget } from './check-budget.ts'
import { checkInput } from './check-input.ts'
import { checkLane } from './check-lane.ts'
import { checkModels } from './check-model.ts'
import { checkTemplates } from './check-templates.ts'
import type { CheckTools, InputPreview } from './check-tools.ts'

/**
 * All that can be said of a spec without spending anything: what reading it found, and how it fits its input, its templates and its models.
 * Errors come all at once, each with its place; what is well is listed first, errors last.
 */
export async function checkSpec(reading: SpecReading, tools: CheckTools): Promise<readonly Finding[]> {
  const { draft, positions, baseDir } = reading
  const report = newReport(positions)
  if (draft === null) return reading.findings
  if (!reading.findings.some((finding) => finding.severity === 'error')) {
    report.add('ok', { file: positions.file, line: 1, column: null }, 'the spec is valid')
  }
  const preview = await look(draft.input, baseDir, tools, report)
  checkInput(draft, preview, report)
  checkTemplates(draft, preview?.columns ?? null, report)
  checkModels(draft, tools, report)
  checkLane(draft, tools, report)
  checkBudget(draft, tools, report)
  return sortFindings([...reading.findings, ...report.findings])
}

/** The input's preview; `null`, and a finding, where it cannot be looked at. */
async function look(
  input: InputSpec,
  baseDir: string,
  tools: CheckTools,
  report: Report,
): Promise<InputPreview | null> {
  const key = input.sql !== null ? 'sql' : 'source'
  if (input[key] === null) return null
  try {
    return await tools.describeInput(input, baseDir)
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const place = error.place ?? report.positions.value(['input', key])
    // What a folder is, or an address, has been said when the spec was read.
    if (error.code === 'not_yet_supported') return null
    if (error.findings.length === 0) report.add('error', place, error.message, error.hint)
    for (const each of error.findings) report.add(each.severity, each.place ?? place, each.message, each.hint)
    return null
  }
}
